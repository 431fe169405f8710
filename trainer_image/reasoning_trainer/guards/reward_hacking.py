"""A part of the reward that rises while correctness falls: the policy is paid for something else than right answers.

The two halves of a window are compared. A change counts if it is `CLEAR` standard errors of the difference of their
means, so that batches which happen to be easier or harder than others trip nothing.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from reasoning_contract.exit_codes import ExitCode
from reasoning_contract.report import TrainingStatus
from reasoning_contract.spec import RewardHacking

from .step_guard import StepGuard
from .verdict import Verdict

CLEAR = 3.0
"""Standard errors from which on a change is no accident."""


class Change(NamedTuple):
    """How the mean of a reward differs between the halves of a window."""

    before: float
    after: float
    error: float
    """Standard error of the difference."""

    def is_rise(self, weight: float) -> bool:
        """Whether it clearly adds to a sum that has the reward with this weight."""
        gain = (self.after - self.before) * weight
        return gain > 0 and gain >= CLEAR * self.error * abs(weight)

    def is_fall(self, by: float) -> bool:
        """Whether it is clearly a fall, and by so much at least."""
        fall = self.before - self.after
        return fall >= by and fall >= CLEAR * self.error


class RewardHackingGuard(StepGuard[Mapping[str, float]]):
    """Compares what the parts of the reward did over a window.

    Parameters
    ----------
    settings
        ``spec.guards.rewardHacking``.
    verifiable
        Name of the reward that says whether an answer is right; None where the job has none, and is not watched.
    weights
        Weight of each of the other rewards, by name.
    """

    condition = "RewardsAgree"

    def __init__(self, settings: RewardHacking, verifiable: str | None, weights: Mapping[str, float]) -> None:
        super().__init__(settings)
        self._settings, self._verifiable, self._weights = settings, verifiable, weights

    def look(self, training: TrainingStatus) -> Mapping[str, float] | None:
        """Return the rewards of a step."""
        return training.rewards if self._verifiable in (training.rewards or {}) else None

    def judge(self, window: Sequence[Mapping[str, float]]) -> Verdict:
        """Judge a full window."""
        right = _change(window, self._verifiable or "")
        parts = {name: _change(window, name) for name in self._weights if all(name in step for step in window)}
        risen = {name: part for name, part in parts.items() if part.is_rise(self._weights[name])}
        figures = f"{right.before:.1%} of the answers were right, then {right.after:.1%}"
        if risen and right.is_fall(self._settings.min_fall):
            return self._against(figures, risen, len(window))
        return Verdict(f"{figures}, in the halves of the last {len(window)} steps")

    def _against(self, figures: str, risen: Mapping[str, Change], steps: int) -> Verdict:
        paid = ", ".join(f"{name} from {part.before:.4g} to {part.after:.4g}" for name, part in risen.items())
        return Verdict.against(
            message=f"{figures}, while the policy was paid more for other things ({paid}), in the halves of the last "
            f"{steps} steps",
            action=self._settings.action,
            exit_code=ExitCode.NOT_LEARNING,
            reason="RewardHacking",
            hint=f"read what the model writes, and lower the weight of {', '.join(risen)} in spec.rewards or mend what "
            "it pays for",
        )


def _change(window: Sequence[Mapping[str, float]], name: str) -> Change:
    values = [step[name] for step in window]
    before, after = values[: len(values) // 2], values[len(values) // 2 :]
    error = math.sqrt(sum(statistics.variance(half) / len(half) for half in (before, after)))
    return Change(math.fsum(before) / len(before), math.fsum(after) / len(after), error)
