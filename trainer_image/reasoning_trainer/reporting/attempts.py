"""The attempts at a run: what each reached, how it ended, and what of it the next one had to do again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import pairwise

from reasoning_contract.outcome import Outcome
from reasoning_contract.progress import Progress
from reasoning_contract.report import RunStage, Timestamp
from reasoning_contract.rules import Part

from ..storage.run_folder import STAGES, RunFolder, write_atomic

NO_WORD = "ended without a word: it was killed from outside, or its node was lost"


class AttemptRecord(Part):
    """An attempt, as it is kept in attempts.json."""

    attempt: int
    """Its number."""
    started_at: Timestamp
    """When it began."""
    updated_at: Timestamp
    """When it reported last."""
    stage: RunStage
    """Stage that it was in then."""
    step: int | None = None
    """Step of that stage that it had reached."""
    resumed_from_stage: RunStage | None = None
    """Stage that it went on from; none where it began afresh, or had not come so far."""
    resumed_from_step: int | None = None
    """Step of that stage."""
    reason: str | None = None
    """How it ended, in one word; none while it runs, and where it left no word."""
    message: str = ""
    """How it ended, for people."""

    @property
    def trained(self) -> tuple[RunStage, int] | None:
        """Stage and step of the training that it was in; None in another stage."""
        return (self.stage, self.step) if self.stage in STAGES and self.step is not None else None


def record(progress: Progress, outcome: Outcome | None) -> AttemptRecord:
    """Return what is kept of an attempt.

    Parameters
    ----------
    progress
        Its last report.
    outcome
        How it ended; None where that is not known.
    """
    return AttemptRecord(
        attempt=progress.attempt,
        started_at=progress.started_at,
        updated_at=progress.progress.updated_at,
        stage=progress.stage,
        step=progress.progress.step,
        resumed_from_stage=progress.resumed_from_stage,
        resumed_from_step=progress.resumed_from_step,
        reason=outcome.reason if outcome else None,
        message=outcome.message if outcome else "",
    )


def ended_without_a_word(progress: Progress) -> AttemptRecord:
    """Return what is kept of an attempt that is found dead by the next one."""
    return record(progress, None).model_copy(update={"message": NO_WORD})


def read(folder: RunFolder) -> list[AttemptRecord]:
    """Return the attempts that have ended, in their order."""
    path = folder.attempts
    return [AttemptRecord.model_validate(each) for each in json.loads(path.read_text("utf-8"))] if path.exists() else []


def keep(folder: RunFolder, new: AttemptRecord) -> None:
    """Add an attempt that has ended."""
    known = {each.attempt: each for each in read(folder)} | {new.attempt: new}
    document = [known[number].model_dump(by_alias=True, exclude_none=True) for number in sorted(known)]
    write_atomic(folder.attempts, json.dumps(document, ensure_ascii=False))


def lost(attempts: Sequence[AttemptRecord]) -> list[int | None]:
    """Return how many steps of each attempt the next one made again; None where that is not known.

    Of the last attempt it is not: nothing has gone on from it. Nor is it where the next one had not come to training
    when it ended itself.
    """
    return [*(_lost(each, after) for each, after in pairwise(attempts)), *([None] if attempts else [])]


def _lost(attempt: AttemptRecord, after: AttemptRecord) -> int | None:
    trained = attempt.trained
    if trained is None:
        return 0
    stage, step = trained
    if after.resumed_from_stage == stage:
        return max(0, step - (after.resumed_from_step or 0))
    return step if after.trained else None
