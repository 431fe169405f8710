"""What stops a run that is not worth its GPU."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ..rules import Part
from .nature import OPERATORS
from .types import Positive, Probability

DEFAULT_WINDOW, DEFAULT_SPREAD = 20, 0.05


class LearningSignal(Part):
    """Watches whether the rewards still tell completions apart: without spread in a group nothing is learned."""

    action: Literal["fail", "warn", "off"] = "fail"
    """What happens when the signal is lost."""
    window_steps: Positive = DEFAULT_WINDOW
    """Steps in a row that are looked at."""
    min_non_zero_variance: Probability = DEFAULT_SPREAD
    """Smallest share of groups with different rewards, on average over the window."""


class Divergence(Part):
    """Watches for a run that goes astray."""

    action: Literal["fail", "warn", "off"] = "fail"
    """What happens when the divergence from the reference passes maxKL."""
    max_kl: float | None = Field(default=None, gt=0, alias="maxKL")
    """Largest KL divergence from the reference; needs beta > 0."""
    non_finite: Literal["fail", "warn"] = "fail"
    """What happens when loss, reward or gradient is not a finite number."""


class Unscored(Part):
    """Watches whether Python and HTTP rewards score what they are asked to. Where a function returns None because a
    completion is not its to score, nothing failed."""

    action: Literal["fail", "warn", "off"] = "fail"
    """What happens when too much fails."""
    max_share: Probability = 0.25
    """Largest share of the completions in the window that a reward may fail on, by an error, a timeout or a value that
    is no number."""
    window_batches: Positive = 8
    """Batches in a row that are looked at; one that fails on all of its first two is not waited for."""


class Preflight(Part):
    """A check of data, tokenizer and rewards in a pod without GPU, before one is asked for."""

    enabled: Annotated[bool | None, OPERATORS] = None
    """Run it. Empty: for jobs that ask for a GPU; others make the same checks first thing in the training pod."""
    sample_rows: Positive = 64
    """Rows to try the template and the rewards on."""


class Guards(Part):
    """What stops a run that is not worth its GPU."""

    learning_signal: LearningSignal = LearningSignal()
    """Loss of the learning signal."""
    divergence: Divergence = Divergence()
    """Divergence."""
    unscored: Unscored = Unscored()
    """Rewards that fail."""
    preflight: Preflight = Preflight()
    """The check before a GPU is asked for."""
