"""Series of the jobs: what is served while a job runs, after its end, and once it is gone."""

from __future__ import annotations

from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from reasoning_contract.job_status import Status
from reasoning_contract.series import SERIES
from reasoning_operator.metrics import OWN_SERIES, JobMetrics
from reasoning_operator.model import Key

KEY = Key("team-a", "sums")
JOB = {
    "metadata": {"creationTimestamp": "2026-11-25T10:00:00Z"},
    "spec": {"model": {"source": "pvc://m"}, "reinforce": {"algorithm": "grpo"}, "limits": {"gpuHours": 2}},
}
RUNNING: dict[str, Any] = {
    "phase": "Running",
    "stage": "reinforce",
    "attempts": 2,
    "gpuHours": 0.5,
    "conditions": [
        {
            "type": "LearningSignal",
            "status": "False",
            "reason": "NoSpread",
            "lastTransitionTime": "2026-11-25T10:09:00Z",
        }
    ],
    "storage": {"claimName": "sums-output", "path": "sums"},
    "progress": {"display": "6%", "percent": 6, "step": 3, "totalSteps": 50, "updatedAt": "2026-11-25T10:10:00Z"},
    "training": {
        "reward": 1.5,
        "rewards": {"correct": 0.25},
        "unscored": {"correct": 3},
        "entropy": 0.7,
        "gpuMemoryGiB": 2.0,
        "gpuUsePercent": 14,
    },
    "evaluation": {
        "heldOut": {"size": 400, "base": {"accuracy": 0.1, "ci95": [0.05, 0.2], "format": 1.0, "meanLength": 5.0}}
    },
}
FINISHED = RUNNING | {"phase": "Succeeded", "stage": None, "completionTime": "2026-11-25T11:00:00Z"}
END = 1_795_604_400.0


class Moment:
    now = END


@pytest.fixture
def moment() -> Moment:
    return Moment()


@pytest.fixture
def served(moment: Moment):
    registry = CollectorRegistry()
    shown = JobMetrics(600, registry, lambda: moment.now)

    def lines() -> set[str]:
        return {line for line in generate_latest(registry).decode().splitlines() if not line.startswith("#")}

    return shown, lines


def test_figures_of_a_running_job_are_in_base_units(served) -> None:
    shown, lines = served
    shown.show(KEY, JOB, Status.model_validate(RUNNING))
    job = 'name="sums",namespace="team-a"'
    for line in (
        f"reasoning_job_reward{{{job}}} 1.5",
        f"reasoning_job_entropy_nats{{{job}}} 0.7",
        f"reasoning_job_gpu_memory_bytes{{{job}}} 2.147483648e+09",
        f"reasoning_job_gpu_busy_ratio{{{job}}} 0.14",
        f"reasoning_job_gpu_seconds_total{{{job}}} 1800.0",
        f"reasoning_job_gpu_seconds_limit{{{job}}} 7200.0",
        f"reasoning_job_attempts_total{{{job}}} 2.0",
        f'reasoning_job_phase{{{job},phase="Running"}} 1.0',
        f'reasoning_job_stage{{{job},stage="reinforce"}} 1.0',
        f'reasoning_job_condition{{condition="LearningSignal",{job}}} 0.0',
        f'reasoning_job_reward_part{{{job},reward="correct"}} 0.25',
        f'reasoning_job_unscored_completions_total{{{job},reward="correct"}} 3.0',
        f'reasoning_job_held_out_accuracy{{model="base",{job}}} 0.1',
        f'reasoning_job_held_out_accuracy_low{{model="base",{job}}} 0.05',
        f'reasoning_job_claim{{{job},persistentvolumeclaim="sums-output"}} 1.0',
    ):
        assert _same(line, lines()), line


def _same(line: str, lines: set[str]) -> bool:
    """Whether a line is there, whatever the order of its labels."""

    def parts(text: str) -> tuple[str, frozenset[str], str]:
        name, _, rest = text.partition("{")
        labels, _, value = rest.rpartition("} ")
        return name, frozenset(labels.split(",")), value

    return parts(line) in map(parts, lines)


def test_last_figures_stay_for_a_while_and_the_phase_as_long_as_the_object(served, moment: Moment) -> None:
    shown, lines = served
    shown.show(KEY, JOB, Status.model_validate(FINISHED))
    moment.now = END + 599
    assert any(line.startswith("reasoning_job_held_out_accuracy{") for line in lines())
    moment.now = END + 601
    assert [line.split("{")[0] for line in lines()] == ["reasoning_job_phase"]
    shown.forget(KEY)
    assert lines() == set()


def test_names_follow_prometheus_conventions() -> None:
    names = [series.full_name for series in (*OWN_SERIES, *SERIES)]
    assert len(names) == len(set(names))
    assert not [name for name in names if name.endswith(("_ms", "_gib", "_percent", "_hours"))]
    assert all(series.full_name.endswith("_total") == series.counter for series in (*OWN_SERIES, *SERIES))
