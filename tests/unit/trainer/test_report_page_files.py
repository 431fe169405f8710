"""What the report takes out of a run's folder, and when it is written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from reasoning_contract.choice import choose
from reasoning_contract.outcome import Outcome
from reasoning_contract.progress import Progress
from reasoning_contract.resolve import resolve
from reasoning_contract.spec import Spec
from reasoning_trainer.job import Job
from reasoning_trainer.reporting.page.reading import read_curves, read_figures
from reasoning_trainer.storage.run_folder import RunFolder, write_atomic, write_lines
from reasoning_trainer.supervisor.report_page import ReportPage

SPEC = Spec.model_validate(
    {
        "model": {"source": "hf://owner/model"},
        "data": {"train": {"rows": [{"prompt": "1", "answer": "1"}]}},
        "rewards": [{"name": "format", "builtin": "format"}],
        "evaluation": {"enabled": False},
        "pod": {"image": "registry.example/trainer:1"},
    }
)
JOB = Job("sums", "default", "", SPEC, resolve(SPEC), choose(SPEC), {})
DONE = Outcome(exit_code=0, reason="Completed", message="done")


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    return RunFolder(tmp_path)


def report(step: int | None = None, reward: float | None = None, stage: str = "reinforce", **more: Any) -> Progress:
    moment = "2026-01-01T00:00:00Z"
    progress = {"display": "", "percent": 5, "step": step, "updatedAt": moment}
    training = {"training": {"reward": reward}} if reward is not None else {}
    base = {"attempt": 2, "startedAt": moment, "stage": stage, "progress": progress}
    return Progress.model_validate(base | training | more)


def save_checkpoint(folder: RunFolder, step: int, rewards: list[float]) -> None:
    path = folder.stage("reinforce").checkpoint(step)
    log = [{"step": number, "reward": reward} for number, reward in enumerate(rewards, 1)]
    write_atomic(path / "trainer_state.json", json.dumps({"log_history": [*log, {"step": step, "train_runtime": 1.0}]}))
    folder.stage("reinforce").seal(step, keep=5)


def evaluate(folder: RunFolder, name: str, right: list[bool]) -> None:
    rows = [{"prompt": str(row), "answer": "1", "completion": "1", "right": each} for row, each in enumerate(right)]
    write_lines(folder.evaluation / f"{name}.jsonl", rows)
    write_atomic(folder.evaluation / f"{name}.json", json.dumps({"right": right, "margins": []}))


def test_curves_come_from_finished_stages_and_the_last_checkpoint(folder: RunFolder) -> None:
    write_lines(folder.stage("warmup").history, [{"step": 1, "loss": 2.0}])
    save_checkpoint(folder, 1, [0.5])
    save_checkpoint(folder, 2, [0.5, 0.75])
    curves = read_curves(folder)
    assert {step: each.loss for step, each in curves["warmup"].items()} == {1: 2.0}
    assert {step: each.reward for step, each in curves["reinforce"].items()} == {1: 0.5, 2: 0.75}


def test_evaluations_come_in_the_order_of_training(folder: RunFolder) -> None:
    for name in ("reinforce", "reinforce-10", "reinforce-9", "base"):
        evaluate(folder, name, [name != "base", True])
    evaluate(folder, "warmup", [True])  # of another number of rows
    write_atomic(folder.path / "recipe.json", json.dumps({"rows": {"train": {"count": 1, "content": "abc"}}}))
    score = {"accuracy": 0.5, "format": 1.0, "meanLength": 1.0}
    progress = report(evaluation={"heldOut": {"size": 2, "base": score}})
    figures = read_figures(JOB, folder, progress, read_curves(folder), DONE)
    assert [each.name for each in figures.held_out] == ["base", "reinforce-9", "reinforce-10", "reinforce"]
    assert figures.rows == {"train": {"count": 1, "content": "abc"}}
    assert figures.image == "registry.example/trainer:1"
    assert "algorithm: GRPO" in figures.resolved
    assert "algorithm" not in figures.given


def points(folder: RunFolder) -> int:
    """Return how many steps the curve of the reward has."""
    text = folder.report.read_text("utf-8")
    line = text.partition('aria-label="Reward, weighted sum"')[2].partition('points="')[2].partition('"')[0]
    return len(line.split())


def test_second_attempt_goes_on_with_the_curve_of_the_first(folder: RunFolder) -> None:
    save_checkpoint(folder, 2, [0.5, 0.75])
    page = ReportPage(JOB, folder, print)
    for step, reward in ((3, 0.8), (4, 0.9)):
        page.take(report(step, reward))
    page.finish(report(), DONE)
    assert points(folder) == 4


def test_step_is_not_given_the_figures_of_the_one_before(folder: RunFolder) -> None:
    page = ReportPage(JOB, folder, print)
    page.take(report(1, 0.5))
    page.take(report(2, 0.5))  # the step is counted before it is logged
    page.finish(report(2, 0.5), DONE)
    assert points(folder) == 1


def test_page_of_an_earlier_attempt_stays_while_the_next_one_loads(folder: RunFolder) -> None:
    page = ReportPage(JOB, folder, print)
    assert page.status is None
    page.take(report(stage="load"))
    assert page.status is None
    page.take(report(1, 0.5))
    assert page.status is not None
    assert page.status.path == str(folder.report)


def test_page_is_written_no_oftener_than_its_interval(folder: RunFolder) -> None:
    moments = iter([100.0, 129.0, 130.0])
    page = ReportPage(JOB, folder, print, lambda: next(moments))
    written = []
    for step in (1, 2, 3):
        page.take(report(step, float(step)))
        written.append(points(folder))
    assert written == [1, 1, 3]
