"""How a job is drawn, for the demo, for rtj and for notebooks alike."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from typing import Any

import pytest
from rich.console import Console

from reasoning_shared.job_view import JobView, line, read_status, verdict
from reasoning_shared.words import duration, size

NOW = datetime(2026, 1, 1, 1, 0, tzinfo=UTC)
SCORE = {"accuracy": 0.25, "ci95": [0.2, 0.3], "format": 0.9, "meanLength": 40.0}


def job(**status: Any) -> dict[str, Any]:
    return {"metadata": {"name": "sums", "namespace": "demo"}, "status": status}


def running(step: int, reward: float) -> dict[str, Any]:
    progress = {
        "display": f"{step}% ({step}/100)",
        "percent": step,
        "step": step,
        "totalSteps": 100,
        "eta": "4m10s",
        "updatedAt": "2026-01-01T00:00:00Z",
    }
    training = {"reward": reward, "rewards": {"correct": 0.5}, "kl": 0.01, "tokensPerSecond": 1200.0}
    started = {"startTime": "2026-01-01T00:00:00Z", "attempts": 2, "resumedFromStep": 25}
    return job(phase="Running", stage="reinforce", progress=progress, training=training, **started)


def drawn(*documents: dict[str, Any]) -> str:
    view = JobView(lambda: NOW)
    for document in documents:
        view.take(document)
    output = io.StringIO()
    Console(file=output, width=100).print(view)
    return output.getvalue()


def test_a_running_job_shows_phase_bars_figures_and_the_course_of_the_reward() -> None:
    text = drawn(running(10, 0.1), running(11, 0.5), running(12, 0.9))
    for part in (
        "demo/sums",
        "Running",
        "attempt 2",
        "resumed from step 25",
        "12 of 100",
        "4m10s left",
        "1h00m so far",
    ):
        assert part in text
    assert "reward 0.9 ▁▅█" in text


def test_the_same_report_is_no_new_step_of_the_curve() -> None:
    assert "reward 0.5 ▁█" in drawn(running(10, 0.1), running(11, 0.5), running(11, 0.5))


def test_a_failed_job_says_why_and_what_to_do() -> None:
    failure = {"reason": "DataInvalid", "message": "no column [answer]", "hint": "name the column"}
    document = job(phase="Failed", failure=failure)
    assert "DataInvalid: no column [answer]; name the column" in drawn(document)
    assert line(document) == "Failed  DataInvalid: no column [answer]; name the column"


def test_an_evaluated_job_shows_the_models_with_their_intervals_and_the_verdict() -> None:
    held_out = {"size": 200, "base": SCORE, "reinforce": SCORE | {"accuracy": 0.5}}
    text = drawn(job(phase="Succeeded", evaluation={"heldOut": held_out, "improvement": 0.25, "pValue": 0.001}))
    assert "0.200 to 0.300" in text
    assert "after training" in text
    assert "raised the accuracy on 200 held-out rows by 0.250" in " ".join(text.replace("│", " ").split())


@pytest.mark.parametrize(
    ("gain", "p_value", "words"),
    [(0.1, 0.01, "raised the accuracy"), (0.1, 0.2, "did not provably raise"), (-0.1, 0.9, "did not provably raise")],
)
def test_a_gain_is_claimed_only_where_it_is_proven(gain: float, p_value: float, words: str) -> None:
    document = job(evaluation={"heldOut": {"size": 9, "base": SCORE}, "improvement": gain, "pValue": p_value})
    assert words in verdict(read_status(document).evaluation)


def test_pairs_without_answers_show_what_is_preferred() -> None:
    pair = {"preferred": 0.6, "margin": 1.5, "format": 0.0, "meanLength": 10.0}
    evaluation = {"heldOut": {"size": 9, "base": pair}, "preferredImprovement": 0.1, "preferredPValue": 0.01}
    text = drawn(job(phase="Succeeded", evaluation=evaluation))
    assert "preferred" in text
    assert "accuracy" not in text


def test_a_warning_of_a_guard_is_shown() -> None:
    condition = {
        "type": "LearningSignal",
        "status": "False",
        "reason": "Lost",
        "message": "all rewards are alike",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }
    assert "LearningSignal: all rewards are alike" in drawn(job(phase="Running", conditions=[condition]))


def test_what_another_version_writes_otherwise_is_left_out() -> None:
    status = read_status(job(phase="Running", attempts="many", novelty=1))
    assert (status.phase, status.attempts) == ("Running", None)


def test_a_job_that_nobody_has_looked_at_is_pending() -> None:
    assert line({"metadata": {"name": "x"}}) == "Pending"


@pytest.mark.parametrize(("seconds", "text"), [(45, "45s"), (250, "4m10s"), (7500, "2h05m"), (277200, "3d05h")])
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(("count", "text"), [(812, "812 B"), (1536, "1.5 KiB"), (5 << 30, "5.0 GiB")])
def test_sizes(count: int, text: str) -> None:
    assert size(count) == text
