"""What the trainer serves at ``/progress``: everything that the operator takes into the status.

The trainer writes the same document to ``progress.json`` in the run's folder, so that the next attempt knows the
attempt's number, what was spent and what was evaluated.

Operator and trainer may be of different versions: readers leave out fields that they do not know, and a field that is
added must be optional. What an older reader would misunderstand takes another `schema_version`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

from .report import ProgressStatus, Report, RunStage, Timestamp
from .rules import Part
from .text import Told

GuardCondition = Literal[
    "DifficultyFits", "LearningSignal", "KLBounded", "EntropyKept", "CompletionsWhole", "RewardsAgree", "Progressing"
]
"""Conditions of the object that are true while a guard has nothing to say against the run."""
GUARD_CONDITIONS: tuple[str, ...] = get_args(GuardCondition)


class GuardReport(Part):
    """The verdict of a guard."""

    condition: str
    """The condition that it is shown as."""
    ok: bool
    """Whether there is no problem."""
    reason: str
    """Why, in one CamelCase word."""
    message: Told
    """The figures behind the verdict, and what to do if there is a problem."""


class LearningSignalReport(Part):
    """The verdict of the learning-signal guard, as trainers tell it that have no list of verdicts."""

    ok: bool
    """Whether the rewards still tell completions apart."""
    message: Told
    """The figures behind the verdict."""


class Origin(Part):
    """Whose report it is: read first, since a report of another version may be unreadable by all else."""

    schema_version: Literal[1] = 1
    """Version of this document."""
    job_uid: str | None = None
    """UID of the ReasoningTrainingJob, since the address of a pod that is gone may be another job's; none without a
    cluster."""
    attempt: int
    """Number of this attempt, from 1, counted on the volume."""
    started_at: Timestamp
    """When this attempt started."""


class Progress(Report, Origin):
    """The whole report of a running attempt."""

    stage: RunStage
    """What is being done."""
    progress: ProgressStatus
    """How far it is."""
    learning_signal: LearningSignalReport | None = None
    """Verdict of that guard where there is no list."""
    guards: list[GuardReport] | None = None
    """Verdicts of the guards, each once its window is full."""
    gpu_seconds: float = 0.0
    """GPU-seconds over all attempts."""

    @property
    def verdicts(self) -> Sequence[GuardReport]:
        """Verdicts of the guards, whichever way the trainer tells them."""
        signal = self.learning_signal
        if self.guards is not None or signal is None:
            return self.guards or ()
        reason = "Seen" if signal.ok else "Lost"
        return (GuardReport(condition="LearningSignal", ok=signal.ok, reason=reason, message=signal.message),)
