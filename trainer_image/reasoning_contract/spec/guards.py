"""What stops a run that is not worth its GPU."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ..rules import Part
from .nature import OPERATORS
from .types import Positive, Probability

DEFAULT_WINDOW, DEFAULT_SPREAD = 20, 0.05
DEFAULT_KL, DEFAULT_ENTROPY, DEFAULT_CLIPPED = 1.0, 0.01, 0.5
DEFAULT_HALVES, DEFAULT_FALL = 40, 0.1


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


class KLBound(Part):
    """Watches whether the policy goes far from its reference for long; divergence.maxKL bounds a single step."""

    action: Literal["fail", "warn", "off"] = "warn"
    """What happens when the mean passes maxKL."""
    window_steps: Positive = DEFAULT_WINDOW
    """Steps in a row that are looked at."""
    max_kl: Annotated[float, Field(gt=0, alias="maxKL")] = DEFAULT_KL
    """Largest KL divergence from the reference on average over the window, nats a token; it is measured if beta > 0."""


class EntropyCollapse(Part):
    """Watches whether the policy still tries different tokens, unless its answers are right."""

    action: Literal["fail", "warn", "off"] = "off"
    """What happens when the mean falls below minEntropy."""
    window_steps: Positive = DEFAULT_WINDOW
    """Steps in a row that are looked at."""
    min_entropy: Annotated[float, Field(gt=0)] = DEFAULT_ENTROPY
    """Smallest entropy of the next token on average over the window, nats."""


class ClippedCompletions(Part):
    """Watches whether completions end before they are cut: one that is cut has no answer."""

    action: Literal["fail", "warn", "off"] = "warn"
    """What happens when more are cut than maxShare."""
    window_steps: Positive = DEFAULT_WINDOW
    """Steps in a row that are looked at."""
    max_share: Probability = DEFAULT_CLIPPED
    """Largest share of the completions that are cut at maxCompletionLength, on average over the window."""


class RewardHacking(Part):
    """Watches for a part of the reward that rises while correctness falls. It compares the halves of the window."""

    action: Literal["fail", "warn", "off"] = "warn"
    """What happens when one does."""
    window_steps: Annotated[int, Field(ge=4)] = DEFAULT_HALVES
    """Steps in a row that are looked at."""
    min_fall: Annotated[float, Field(gt=0, le=1)] = DEFAULT_FALL
    """Smallest fall of the correctness reward, from the mean of the first half to that of the second."""


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


class Stall(Part):
    """Watches whether the run goes on: a step, a row that is evaluated, more of a download, a file that is written."""

    action: Literal["fail", "warn", "off"] = "fail"
    """What happens when it stands still. fail: the attempt ends, and another goes on from the last checkpoint."""
    timeout_seconds: Annotated[int, Field(ge=60, le=604_800)] = 3600
    """Longest time without progress, seconds; the longest single step must take less."""


class StepTrial(Part):
    """Tries the largest step of warm-up and RL on the GPU before anything is spent: the longest row, in RL the longest
    prompt and maxCompletionLength, batchSize times. PPO's is not tried."""

    action: Literal["halve", "fail", "off"] = "halve"
    """What happens when it does not fit. halve: batchSize is halved and gradientAccumulation doubled until it does, so
    that an update is of as many sequences; lossType bnpo is a mean over each forward pass, which that changes."""


class Preflight(Part):
    """A check of data, tokenizer and rewards in a pod without GPU, before one is asked for."""

    enabled: Annotated[bool | None, OPERATORS] = None
    """Run it. Empty: for jobs that ask for a GPU; others make the same checks first thing in the training pod."""
    sample_rows: Positive = 64
    """Rows to try the template and the rewards on."""


class Guards(Part):
    """What stops a run that is not worth its GPU, or warns of it."""

    learning_signal: LearningSignal = LearningSignal()
    """Loss of the learning signal."""
    divergence: Divergence = Divergence()
    """Divergence."""
    kl: KLBound = KLBound()
    """Distance from the reference."""
    entropy: EntropyCollapse = EntropyCollapse()
    """Collapse of the entropy."""
    clipped: ClippedCompletions = ClippedCompletions()
    """Completions that are cut."""
    reward_hacking: RewardHacking = RewardHacking()
    """Rewards that rise while correctness falls."""
    unscored: Unscored = Unscored()
    """Rewards that fail."""
    stall: Stall = Stall()
    """Runs that hang."""
    largest_step: StepTrial = StepTrial()
    """The first try of the largest step."""
    preflight: Preflight = Preflight()
    """The check before a GPU is asked for."""
