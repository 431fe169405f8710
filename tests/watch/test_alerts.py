"""Every alert is seen to fire, and not to, by promtool; every one has a page that says what to do."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

ROOT = Path(__file__).parents[2]
RULES = ROOT / "helm/reasoning-operator/files/alerts.yaml"
JOB = 'namespace="a", name="sums"'
LABELS = {"namespace": "a", "name": "sums"}
RUNNING = {f'reasoning_job_phase{{{JOB}, phase="Running"}}': "1x240"}


class Case(NamedTuple):
    """What an alert fires for, and what is close to it and no reason to."""

    fires: dict[str, str]
    quiet: dict[str, str]
    labels: dict[str, str] = LABELS


def both(fires: dict[str, str], quiet: dict[str, str], labels: dict[str, str] = LABELS) -> Case:
    return Case(RUNNING | fires, RUNNING | quiet, labels)


CASES = {
    "ReasoningJobStalled": both(
        {f"reasoning_job_report_timestamp_seconds{{{JOB}}}": "60x240"},
        {f"reasoning_job_report_timestamp_seconds{{{JOB}}}": "60+60x240"},
    ),
    "ReasoningJobNotLearning": both(
        {f'reasoning_job_condition{{{JOB}, condition="LearningSignal"}}': "1x20 0x220"},
        {f'reasoning_job_condition{{{JOB}, condition="LearningSignal"}}': "1x240"},
    ),
    "ReasoningJobRewardFailing": both(
        {f'reasoning_job_unscored_completions_total{{{JOB}, reward="steps"}}': "0+2x240"},
        {f'reasoning_job_unscored_completions_total{{{JOB}, reward="steps"}}': "0x10 5x230"},
        LABELS | {"reward": "steps"},
    ),
    "ReasoningJobKLRunaway": both(
        {f"reasoning_job_kl_nats{{{JOB}}}": "0.1x20 4x220"}, {f"reasoning_job_kl_nats{{{JOB}}}": "0.1x240"}
    ),
    "ReasoningJobCompletionsClipped": both(
        {f"reasoning_job_clipped_ratio{{{JOB}}}": "0.9x240"}, {f"reasoning_job_clipped_ratio{{{JOB}}}": "0.3x240"}
    ),
    "ReasoningJobFailed": Case(
        {
            f'reasoning_job_phase{{{JOB}, phase="Failed"}}': "1x240",
            f'reasoning_job_failure{{{JOB}, reason="OutOfMemory"}}': "1x240",
        },
        {
            f'reasoning_job_phase{{{JOB}, phase="Pending"}}': "1x240",
            f'reasoning_job_failure{{{JOB}, reason="Unschedulable"}}': "1x240",
        },
        LABELS | {"reason": "OutOfMemory"},
    ),
    "ReasoningJobWaitingTooLong": Case(
        {f'reasoning_job_phase{{{JOB}, phase="Queued"}}': "1x240"},
        {
            f'reasoning_job_phase{{{JOB}, phase="Queued"}}': "1x30 _x210",
            f'reasoning_job_phase{{{JOB}, phase="Running"}}': "_x30 1x210",
        },
    ),
    "ReasoningJobVolumeFilling": Case(
        {
            'reasoning_job_claim{namespace="a", name="sums", persistentvolumeclaim="out"}': "1x240",
            'kubelet_volume_stats_available_bytes{namespace="a", persistentvolumeclaim="out"}': "5x240",
            'kubelet_volume_stats_capacity_bytes{namespace="a", persistentvolumeclaim="out"}': "100x240",
        },
        {
            'reasoning_job_claim{namespace="a", name="sums", persistentvolumeclaim="out"}': "1x240",
            'kubelet_volume_stats_available_bytes{namespace="a", persistentvolumeclaim="another"}': "5x240",
            'kubelet_volume_stats_capacity_bytes{namespace="a", persistentvolumeclaim="another"}': "100x240",
            'kubelet_volume_stats_available_bytes{namespace="a", persistentvolumeclaim="out"}': "50x240",
            'kubelet_volume_stats_capacity_bytes{namespace="a", persistentvolumeclaim="out"}': "100x240",
        },
        {"namespace": "a", "persistentvolumeclaim": "out"},
    ),
    "ReasoningJobGPUIdle": both(
        {f"reasoning_job_gpu_busy_ratio{{{JOB}}}": "0.02x240"}, {f"reasoning_job_gpu_busy_ratio{{{JOB}}}": "0.4x240"}
    ),
    "ReasoningJobBudgetNearEnd": both(
        {
            f"reasoning_job_gpu_seconds_total{{{JOB}}}": "0+60x240",
            f"reasoning_job_gpu_seconds_limit{{{JOB}}}": "7200x240",
        },
        {f"reasoning_job_gpu_seconds_total{{{JOB}}}": "0+60x240"},
    ),
    "ReasoningOperatorDown": Case(
        {"reasoning_operator_leader": "1x20 0x220"}, {"reasoning_operator_leader": "1x240"}, {}
    ),
    "ReasoningOperatorReconcileErrors": Case(
        {
            'reasoning_operator_reconciles_total{result="error"}': "0+30x240",
            'reasoning_operator_reconciles_total{result="success"}': "0+60x240",
        },
        {
            'reasoning_operator_reconciles_total{result="error"}': "0+1x240",
            'reasoning_operator_reconciles_total{result="success"}': "0+60x240",
        },
        {},
    ),
    "ReasoningOperatorLeaseFlapping": Case(
        {
            'reasoning_operator_leader{pod="a"}': "0 1 0 1 0 1 0x234",
            'reasoning_operator_leader{pod="b"}': "1 0 1 0 1 0 1x234",
        },
        {'reasoning_operator_leader{pod="a"}': "1x100 0x140", 'reasoning_operator_leader{pod="b"}': "0x100 1x140"},
        {},
    ),
}
MOMENTS = {"ReasoningOperatorLeaseFlapping": "10m"}
"""When the rule is asked: two hours in, but for what has passed by then."""


def rules() -> dict[str, dict[str, Any]]:
    groups = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"]}


def test_every_alert_has_its_case_and_a_page() -> None:
    assert set(CASES) == set(rules())
    assert {page.stem for page in (ROOT / "docs/runbooks").glob("*.md")} >= set(CASES)


@pytest.mark.parametrize("name", CASES)
def test_alert_names_its_page_and_says_what_happens(name: str) -> None:
    annotations = rules()[name]["annotations"]
    assert annotations["runbook_url"] == f"RUNBOOKS/{name}.md"
    assert annotations["summary"]


@pytest.mark.parametrize("name", CASES)
def test_alert_fires_and_keeps_quiet(name: str, programs: Path, tmp_path: Path) -> None:
    rule, case = rules()[name], CASES[name]
    moment = MOMENTS.get(name, "2h")
    fired = {"exp_labels": case.labels | rule["labels"]}
    tests = [
        _test(name, case.fires, moment, [fired]),
        _test(name, case.quiet, moment, []),
    ]
    stripped = yaml.safe_load(RULES.read_text(encoding="utf-8"))
    for group in stripped["groups"]:
        for each in group["rules"]:
            del each["annotations"]
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(stripped))
    (tmp_path / "tests.yaml").write_text(yaml.safe_dump({"rule_files": ["rules.yaml"], "tests": tests}))
    done = subprocess.run(
        [programs / "promtool", "test", "rules", "tests.yaml"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def _test(name: str, series: dict[str, str], moment: str, alerts: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "interval": "1m",
        "input_series": [{"series": each, "values": values} for each, values in series.items()],
        "alert_rule_test": [{"eval_time": moment, "alertname": name, "exp_alerts": alerts}],
    }


def test_rules_are_valid_with_their_texts(programs: Path) -> None:
    done = subprocess.run([programs / "promtool", "check", "rules", RULES], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
