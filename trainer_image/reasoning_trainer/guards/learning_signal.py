"""Rewards that no longer tell the completions of a group apart."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from reasoning_contract.exit_codes import ExitCode
from reasoning_contract.report import TrainingStatus
from reasoning_contract.spec import LearningSignal

from .step_guard import StepGuard
from .verdict import Verdict
from .window import mean

SOLVED = 0.9
"""Mean correctness from which completions that all score alike are a task that is solved, not a run that collapsed."""
UNSOLVED = 0.1
"""Mean correctness up to which completions that all score alike are all wrong."""
MOSTLY_CUT = 0.5
"""Share of completions that are cut from which on that is why they score alike."""


@dataclass(frozen=True)
class StepSignal:
    """What a step tells of the learning signal.

    Attributes
    ----------
    spread
        Share of the groups whose rewards differ.
    right
        Mean of the verifiable reward, or None.
    cut
        Share of the completions that were cut at their longest length, or None.
    """

    spread: float
    right: float | None = None
    cut: float | None = None


class LearningSignalGuard(StepGuard[StepSignal]):
    """Watches over a window of steps whether rewards still tell the completions of a group apart.

    The advantage of a completion is its distance from its group's mean reward (Shao et al. 2024, arXiv:2402.03300): in
    a group whose rewards are all equal every advantage, and so every gradient, is zero.

    Parameters
    ----------
    settings
        ``spec.guards.learningSignal``.
    verifiable
        Name of the reward that says whether an answer is right; its mean tells solved from collapsed. None where the
        job has no such reward.
    """

    condition = "LearningSignal"

    def __init__(self, settings: LearningSignal, verifiable: str | None = None) -> None:
        super().__init__(settings)
        self._settings, self._verifiable = settings, verifiable

    def look(self, training: TrainingStatus) -> StepSignal | None:
        """Return what a step tells; an update that shares its completions with an earlier one tells nothing."""
        if training.zero_variance_share is None:
            return None
        right = (training.rewards or {}).get(self._verifiable) if self._verifiable else None
        return StepSignal(1.0 - training.zero_variance_share, right, training.clipped_share)

    def judge(self, window: Sequence[StepSignal]) -> Verdict:
        """Judge a full window."""
        return judge_learning_signal(self._settings, window)


def judge_learning_signal(settings: LearningSignal, window: Sequence[StepSignal]) -> Verdict:
    """Judge a full window.

    Parameters
    ----------
    settings
        ``spec.guards.learningSignal``; its action is not ``off``.
    window
        What each step tells.
    """
    spread = math.fsum(step.spread for step in window) / len(window)
    right = mean([step.right for step in window if step.right is not None])
    cut = mean([step.cut for step in window if step.cut is not None])
    figures = f"rewards differ in {spread:.1%} of the groups, over the last {len(window)} steps"
    if right is not None:
        figures += f"; {right:.1%} of the answers are right"
    if cut is not None and cut >= MOSTLY_CUT:
        figures += f"; {cut:.1%} of the completions are cut at reinforce.maxCompletionLength"
    if spread >= settings.min_non_zero_variance:
        return Verdict(figures)
    if right is not None and right >= SOLVED:
        return Verdict(f"{figures}: the task is solved, further steps teach little")
    return Verdict.against(
        message=f"the learning signal is lost: {figures}; "
        f"guards.learningSignal.minNonZeroVariance asks for {settings.min_non_zero_variance:.1%}",
        action=settings.action,
        exit_code=ExitCode.NOT_LEARNING,
        reason="LearningSignalLost",
        hint=_how_to_regain_the_signal(right, cut),
    )


def _how_to_regain_the_signal(right: float | None, cut: float | None) -> str:
    if cut is not None and cut >= MOSTLY_CUT:
        return (
            "most completions end before their answer: raise reinforce.maxCompletionLength, with it "
            "model.maxSequenceLength, or have the model say less (a lengthPenalty reward, chatTemplate.systemPrompt)"
        )
    if right is not None and right <= UNSOLVED:
        return (
            "nearly every answer is wrong: give data.warmup (or more of it), take easier rows for data.train, or lower "
            "reinforce.learningRate if answers were right at first"
        )
    return (
        "make completions differ (raise reinforce.temperature or numGenerations), rewards finer (add a format or "
        "lengthPenalty reward), or the rows of data.train neither too easy nor too hard"
    )
