"""What becomes of completions that a reward fails on: told in the log, and bounded by the guard."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from reasoning_contract.spec import Unscored

from ..guards import UnscoredGuard

TOLD = 20
"""Different problems of a reward that the log tells."""


class Failures:
    """Watches over one reward.

    Parameters
    ----------
    reward
        Its name.
    settings
        ``spec.guards.unscored``.
    say
        Prints a line for people.
    """

    def __init__(self, reward: str, settings: Unscored, say: Callable[[str], None]) -> None:
        self._reward, self._say = reward, say
        self._guard = UnscoredGuard(settings, reward)
        self._told: set[str] = set()
        self._warned = False

    def take(self, scores: Sequence[float | None], problems: Sequence[str]) -> None:
        """Take in a batch; without problems, what is not scored is so by intent.

        Raises
        ------
        TrainerError
            If too much failed.
        """
        for problem in problems:
            if problem not in self._told and len(self._told) < TOLD:
                self._told.add(problem)
                self._say(f"reward {self._reward}: {problem}")
        failures = scores.count(None) if problems else 0
        verdict = self._guard.update(failures, len(scores), problems[0] if problems else "")
        if verdict is None:
            return
        if not verdict.ok and verdict.action == "warn" and not self._warned:
            self._warned = True
            self._say(f"warning: {verdict.message}")
        verdict.raise_if_failed()
