"""A policy that no longer tries anything: its next token is all but certain."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from reasoning_contract.exit_codes import ExitCode
from reasoning_contract.report import TrainingStatus
from reasoning_contract.spec import EntropyCollapse

from .learning_signal import SOLVED
from .step_guard import StepGuard
from .verdict import Verdict
from .window import mean


class Certainty(NamedTuple):
    """What a step tells of it."""

    entropy: float
    """Mean entropy of the next token, nats."""
    right: float | None
    """Mean of the verifiable reward."""


class EntropyGuard(StepGuard[Certainty]):
    """Compares the mean entropy of the policy's next token with its bound.

    A policy that is certain and right has learned the task; one that is certain and wrong samples the same completions
    over and over, and nothing is left to learn from.

    Parameters
    ----------
    settings
        ``spec.guards.entropy``.
    verifiable
        Name of the reward that says whether an answer is right; None where the job has none.
    """

    condition = "EntropyKept"

    def __init__(self, settings: EntropyCollapse, verifiable: str | None = None) -> None:
        super().__init__(settings)
        self._settings, self._verifiable = settings, verifiable

    def look(self, training: TrainingStatus) -> Certainty | None:
        """Return entropy and correctness of a step."""
        right = (training.rewards or {}).get(self._verifiable) if self._verifiable else None
        return None if training.entropy is None else Certainty(training.entropy, right)

    def judge(self, window: Sequence[Certainty]) -> Verdict:
        """Judge a full window."""
        entropy = mean([step.entropy for step in window]) or 0.0
        right = mean([step.right for step in window if step.right is not None])
        figures = f"the entropy of the next token is {entropy:.4g} nats, over the last {len(window)} steps"
        if right is not None:
            figures += f"; {right:.1%} of the answers are right"
        if not entropy < self._settings.min_entropy:
            return Verdict(figures)
        if right is not None and right >= SOLVED:
            return Verdict(f"{figures}: the task is solved, further steps teach little")
        return Verdict.against(
            message=f"{figures}; guards.entropy.minEntropy asks for {self._settings.min_entropy:g}",
            action=self._settings.action,
            exit_code=ExitCode.NOT_LEARNING,
            reason="EntropyCollapsed",
            hint="go on from an earlier model with a lower reinforce.learningRate, a reinforce.beta above 0, a higher "
            "epsilonHigh or temperature, or fewer epochs of warm-up",
        )
