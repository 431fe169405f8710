"""When a run is saved, and how much it may take."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ..rules import Part
from .nature import OPERATORS
from .types import Count, Positive


class Checkpoint(Part):
    """When the run is saved, so that any attempt can go on from there."""

    every_steps: Positive = 25
    """RL or warm-up steps between checkpoints; in RL, rounded up to a multiple of reinforce.updatesPerGeneration."""
    keep: Annotated[int, Field(ge=1, le=100)] = 2
    """How many to keep of each stage."""
    on_spec_change: Literal["refuse", "startOver"] = "refuse"
    """What a new attempt does if what it is to learn has changed since the checkpoint."""


class Limits(Part):
    """How much the job may take."""

    active_deadline_seconds: Annotated[Positive | None, OPERATORS] = None
    """Longest time from the first start to the end; the time goes on while the job is suspended or waits for a node."""
    max_attempts: Annotated[int, Field(ge=1, le=100), OPERATORS] = 3
    """How often the job is started; an interruption that saved a checkpoint costs no attempt."""
    gpu_hours: Annotated[float, Field(gt=0)] | None = None
    """GPU-hours over all attempts; at the end of the budget the run saves a checkpoint and stops."""
    ttl_seconds_after_finished: Annotated[Count | None, OPERATORS] = None
    """Delete the finished job, with its pods, after this time."""
