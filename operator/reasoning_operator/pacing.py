"""How often a status is written while nothing but figures change, and how often it is looked for what nobody tells.

People read the status, and each write wakes every watch.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable

from reasoning_contract.job_status import Status

from .model import Key

PROGRESS_SECONDS = 10.0
"""Pause between two writes of figures alone, of one job."""
SHORTEST_RETRY_SECONDS, LONGEST_RETRY_SECONDS = 5.0, 300.0
"""Pause before what no watch tells of is looked at again: at first, and of what has been so for long."""


class Pace:
    """When each job's status was written last. A cache: without it one write comes too early.

    Parameters
    ----------
    clock
        Seconds, from any moment on.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._written: dict[Key, float] = {}

    def wait(self, key: Key, old: Status, new: Status) -> float:
        """Return how many seconds a change of status has to wait; 0 if it is to be written now."""
        if key not in self._written or _what_people_wait_for(old) != _what_people_wait_for(new):
            return 0.0
        return max(0.0, self._written[key] + PROGRESS_SECONDS - self._clock())

    def wrote(self, key: Key) -> None:
        """Note that a status was written."""
        self._written[key] = self._clock()

    def forget(self, key: Key) -> None:
        """Forget a job that is gone."""
        self._written.pop(key, None)


class Patience:
    """Since when each job has waited for what no watch tells of. A cache: without it a look comes too early.

    Parameters
    ----------
    clock
        Seconds, from any moment on.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._since: dict[Key, tuple[Hashable, float]] = {}

    def pause(self, key: Key, cause: Hashable) -> float:
        """Return how many seconds to wait before the next look: as long as it has been so already, within bounds.

        Parameters
        ----------
        key
            The job.
        cause
            What it waits for: with another, the wait begins anew.
        """
        before, since = self._since.get(key, (None, 0.0))
        if before != cause:
            since = self._clock()
            self._since[key] = (cause, since)
        return min(max(self._clock() - since, SHORTEST_RETRY_SECONDS), LONGEST_RETRY_SECONDS)

    def forget(self, key: Key) -> None:
        """Forget a job that is gone, or waits no more."""
        self._since.pop(key, None)


def _what_people_wait_for(status: Status) -> tuple[object, ...]:
    """Return all but figures: phase, stage, attempt, and each condition and failure by its reason."""
    conditions = {(each.type, each.status, each.reason) for each in status.conditions}
    failure = status.failure and (status.failure.reason, status.failure.pod)
    return status.phase, status.stage, status.attempts, status.observed_generation, conditions, failure
