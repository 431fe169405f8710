"""The table of attempts: what is kept of each, and how many of its steps the next one made again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from reasoning_contract.outcome import Outcome
from reasoning_contract.progress import Progress
from reasoning_trainer.reporting.attempts import AttemptRecord, keep, lost, read, record
from reasoning_trainer.storage.run_folder import RunFolder

MOMENT = "2026-11-24T12:00:00Z"


def attempt(number: int, stage: str, step: int | None = None, resumed: tuple[str, int] | None = None) -> AttemptRecord:
    document: dict[str, Any] = {"attempt": number, "startedAt": MOMENT, "updatedAt": MOMENT, "stage": stage}
    if step is not None:
        document["step"] = step
    if resumed is not None:
        document |= {"resumedFromStage": resumed[0], "resumedFromStep": resumed[1]}
    return AttemptRecord.model_validate(document)


@pytest.mark.parametrize(
    ("first", "second", "steps"),
    [
        (attempt(1, "reinforce", 14), attempt(2, "reinforce", 20, ("reinforce", 10)), 4),
        (attempt(1, "reinforce", 10), attempt(2, "reinforce", 20, ("reinforce", 10)), 0),
        (attempt(1, "reinforce", 3), attempt(2, "reinforce", 5, ("warmup", 40)), 3),
        (attempt(1, "warmup", 7), attempt(2, "warmup", 9), 7),
        (attempt(1, "warmup", 7), attempt(2, "load"), None),
        (attempt(1, "evaluate", 30), attempt(2, "evaluate", 10, ("warmup", 40)), 0),
        (attempt(1, "load"), attempt(2, "warmup", 9), 0),
    ],
    ids=["since the checkpoint", "at it", "before one", "before any", "not known", "rows are no steps", "nothing done"],
)
def test_steps_that_are_made_again(first: AttemptRecord, second: AttemptRecord, steps: int | None) -> None:
    assert lost([first, second]) == [steps, None]


def test_no_attempts_lose_nothing() -> None:
    assert lost([]) == []


def test_an_attempt_is_kept_once_in_its_order(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    assert read(folder) == []
    keep(folder, attempt(2, "reinforce", 4))
    keep(folder, attempt(1, "load"))
    keep(folder, attempt(2, "export"))
    assert [(each.attempt, each.stage) for each in read(folder)] == [(1, "load"), (2, "export")]


def test_what_is_kept_of_an_attempt() -> None:
    progress = Progress.model_validate(
        {
            "attempt": 2,
            "startedAt": MOMENT,
            "stage": "reinforce",
            "progress": {"display": "5%", "percent": 5, "step": 12, "totalSteps": 20, "updatedAt": MOMENT},
            "resumedFromStage": "reinforce",
            "resumedFromStep": 10,
        }
    )
    kept = record(progress, Outcome(exit_code=80, reason="Stalled", message="no progress"))
    assert (kept.trained, kept.resumed_from_step) == (("reinforce", 12), 10)
    assert (kept.reason, kept.message) == ("Stalled", "no progress")
