"""What the trainer serves at ``/progress``: everything that the operator takes into the status.

The trainer writes the same document to ``progress.json`` in the run's folder, so that the next attempt knows the
attempt's number, what was spent and what was evaluated.

Operator and trainer may be of different versions: readers leave out fields that they do not know, and a field that is
added must be optional. What an older reader would misunderstand takes another `schema_version`.
"""

from __future__ import annotations

from typing import Literal

from .rules import Part
from .status import (
    Artifact,
    CheckpointStatus,
    EvaluationStatus,
    MemoryStatus,
    ModelStatus,
    ProgressStatus,
    ReportStatus,
    RunStage,
    Timestamp,
    TrainingStatus,
)


class LearningSignalReport(Part):
    """The verdict of the learning-signal guard."""

    ok: bool
    """Whether the rewards still tell completions apart."""
    message: str
    """The figures behind the verdict."""


class Progress(Part):
    """The whole report of a running attempt."""

    schema_version: Literal[1] = 1
    """Version of this document."""
    job_uid: str | None = None
    """UID of the ReasoningTrainingJob, since the address of a pod that is gone may be another job's; none without a
    cluster."""
    attempt: int
    """Number of this attempt, from 1, counted on the volume."""
    started_at: Timestamp
    """When this attempt started."""
    stage: RunStage
    """What is being done."""
    progress: ProgressStatus
    """How far it is."""
    training: TrainingStatus | None = None
    """Metrics of the last step."""
    evaluation: EvaluationStatus | None = None
    """Scores so far."""
    learning_signal: LearningSignalReport | None = None
    """Verdict of the guard, once its window is full."""
    resumed_from_step: int | None = None
    """Step from which this attempt went on; None where it started afresh."""
    resumed_from_stage: RunStage | None = None
    """Stage of that step: the last one of a stage that is reused whole."""
    last_checkpoint: CheckpointStatus | None = None
    """The last checkpoint on the volume."""
    model: ModelStatus | None = None
    """What was loaded."""
    data_revisions: dict[str, str] | None = None
    """Commit of each Hub data set, by its field."""
    memory: MemoryStatus | None = None
    """Memory of this attempt."""
    artifacts: list[Artifact] | None = None
    """What was written."""
    report: ReportStatus | None = None
    """Where the report lies."""
    gpu_seconds: float = 0.0
    """GPU-seconds over all attempts."""
