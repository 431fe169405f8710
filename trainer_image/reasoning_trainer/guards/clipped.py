"""Completions that are cut before they end."""

from __future__ import annotations

import math
from collections.abc import Sequence

from reasoning_contract.exit_codes import ExitCode
from reasoning_contract.report import TrainingStatus
from reasoning_contract.spec import ClippedCompletions

from .step_guard import StepGuard
from .verdict import Verdict


class ClippedGuard(StepGuard[float]):
    """Compares the share of completions that are cut at their longest length with its bound.

    Parameters
    ----------
    settings
        ``spec.guards.clipped``.
    """

    condition = "CompletionsWhole"

    def __init__(self, settings: ClippedCompletions) -> None:
        super().__init__(settings)
        self._settings = settings

    def look(self, training: TrainingStatus) -> float | None:
        """Return the share of a step."""
        return training.clipped_share

    def judge(self, window: Sequence[float]) -> Verdict:
        """Judge a full window."""
        cut, limit = math.fsum(window) / len(window), self._settings.max_share
        figures = (
            f"{cut:.1%} of the completions are cut at reinforce.maxCompletionLength, over the last {len(window)} steps"
        )
        if not cut > limit:
            return Verdict(figures)
        return Verdict.against(
            message=f"{figures}; guards.clipped.maxShare allows {limit:.1%}",
            action=self._settings.action,
            exit_code=ExitCode.NOT_LEARNING,
            reason="CompletionsClipped",
            hint="raise reinforce.maxCompletionLength, with it model.maxSequenceLength, or have the model say less (a "
            "lengthPenalty reward, chatTemplate.systemPrompt)",
        )
