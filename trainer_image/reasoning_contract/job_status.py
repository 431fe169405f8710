"""The status of a ReasoningTrainingJob: what its run reports, and what the operator knows."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from .finding import Finding
from .problem import Problem
from .report import Report, Timestamp
from .rules import Part
from .text import Told

Phase = Literal["Pending", "Preflight", "Queued", "Starting", "Running", "Suspended", "Succeeded", "Failed"]


class Condition(Part):
    """A standard Kubernetes condition."""

    type: str
    """What is true or not: Accepted, PreflightPassed, SpecApplied, Running, Reporting, Suspended, Succeeded, Failed,
    and what the guards look at: DifficultyFits, LearningSignal, KLBounded, EntropyKept, CompletionsWhole, RewardsAgree,
    Progressing."""
    status: Literal["True", "False", "Unknown"]
    """Whether it is."""
    reason: str
    """Why, in one CamelCase word."""
    message: Told = ""
    """Why, for people."""
    last_transition_time: Timestamp
    """Since when."""
    observed_generation: int | None = None
    """Generation of the spec that it was judged by."""


class StorageStatus(Part):
    """Where the output lies."""

    claim_name: str
    """PersistentVolumeClaim."""
    path: str
    """Folder of this run on it."""


class Failure(Problem):
    """What keeps the job from running, or ended it: cleared when an attempt runs again."""

    pod: str | None = None
    """Pod that it happened in."""


class PreflightStatus(Part):
    """How the check before a GPU is asked for ended."""

    passed: bool
    """Whether the training Job may be made."""
    checked: str
    """Hash of what was checked: the pod's template and the trainer's spec."""
    findings: list[Finding] = []
    """What it found beside what is well, errors first; all of it is in the log of its pod."""


class Course(Part):
    """What only the operator knows of a job."""

    observed_generation: int | None = None
    """Generation of the spec that this status speaks of."""
    phase: Phase | None = None
    """Where the job is."""
    conditions: Annotated[
        list[Condition],
        Field(
            json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
            max_length=32,
        ),
    ] = []
    """Standard conditions."""
    attempts: int | None = None
    """How often a pod was started."""
    start_time: Timestamp | None = None
    """When the first pod started to run."""
    completion_time: Timestamp | None = None
    """When the job ended."""
    gpu_hours: float | None = None
    """GPU-hours over all attempts."""
    storage: StorageStatus | None = None
    """Where the output lies."""
    preflight: PreflightStatus | None = None
    """How the last preflight ended; empty while one is under way."""
    retry: str | None = None
    """Value that the annotation retry has had: a failed job starts again for another one."""
    failure: Failure | None = None
    """What keeps the job from running, or ended it."""


class Status(Report, Course):
    """Everything that is known of a job."""
