"""A policy that has gone far from its reference, over a window of steps."""

from __future__ import annotations

import math
from collections.abc import Sequence

from reasoning_contract.exit_codes import ExitCode
from reasoning_contract.report import TrainingStatus
from reasoning_contract.spec import KLBound

from .step_guard import StepGuard
from .verdict import Verdict


class KLGuard(StepGuard[float]):
    """Compares the mean KL divergence of a token with its bound.

    Parameters
    ----------
    settings
        ``spec.guards.kl``.
    """

    condition = "KLBounded"

    def __init__(self, settings: KLBound) -> None:
        super().__init__(settings)
        self._settings = settings

    def look(self, training: TrainingStatus) -> float | None:
        """Return the divergence of a step."""
        return training.kl

    def judge(self, window: Sequence[float]) -> Verdict:
        """Judge a full window."""
        kl, limit = math.fsum(window) / len(window), self._settings.max_kl
        figures = f"the KL divergence from the reference is {kl:.4g} nats a token, over the last {len(window)} steps"
        if not kl > limit:
            return Verdict(figures)
        return Verdict.against(
            message=f"{figures}; guards.kl.maxKL allows {limit:g}",
            action=self._settings.action,
            exit_code=ExitCode.DIVERGED,
            reason="KLBoundPassed",
            hint="lower reinforce.learningRate or raise reinforce.beta; raise guards.kl.maxKL if completions are still "
            "good",
        )
