"""Rewards that fail on what they are asked to score."""

from __future__ import annotations

from reasoning_contract.exit_codes import ExitCode
from reasoning_contract.spec import Unscored

from .verdict import Verdict
from .window import Window

SURE_BATCHES = 2
"""After so many batches that failed as a whole a reward is not waited for."""


class UnscoredGuard:
    """Watches over a window of batches whether a reward fails on the completions that it is asked to score.

    Parameters
    ----------
    settings
        ``spec.guards.unscored``.
    reward
        Name of the reward.
    """

    def __init__(self, settings: Unscored, reward: str) -> None:
        self._settings, self._reward = settings, reward
        self._window: Window[tuple[int, int]] = Window(settings.window_batches)
        self._problem = ""

    def update(self, failures: int, completions: int, problem: str) -> Verdict | None:
        """Take in a batch; return a verdict once the window is full, or its first two batches failed as a whole.

        Parameters
        ----------
        failures
            Completions that could not be scored though they should have been.
        completions
            Size of the batch.
        problem
            Why, naming function and line; empty without failures.
        """
        if self._settings.action == "off":
            return None
        self._problem = problem or self._problem
        window = self._window.put((failures, completions))
        failed, asked = (sum(column) for column in zip(*window, strict=True))
        hopeless = len(window) >= SURE_BATCHES and failed == asked
        if len(window) < self._settings.window_batches and not hopeless:
            return None
        if failed <= self._settings.max_share * asked:
            return Verdict(f"reward {self._reward} failed on {failed} of {asked} completions")
        return Verdict.against(
            message=f"reward {self._reward} failed on {failed} of {asked} completions, over the last {len(window)} "
            f"batches: {self._problem}",
            action=self._settings.action,
            exit_code=ExitCode.REWARD_FAILED,
            reason="RewardFailing",
            hint="mend the function or the service and try it with try-rewards; guards.unscored says how much may fail",
        )
