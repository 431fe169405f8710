"""A queue of keys: each is worked on by one worker at a time, and again if it was added meanwhile."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

from . import metrics

logger = logging.getLogger(__name__)

K = TypeVar("K", bound=Hashable)


class RetryError(Exception):
    """Work could not be done for a reason that is no defect of ours: it is tried again, and logged in one line."""


FIRST_BACKOFF_SECONDS = 0.5
LAST_BACKOFF_SECONDS = 60.0


class WorkQueue(Generic[K]):
    """Runs work for keys.

    Parameters
    ----------
    work
        What to do for a key. It returns the seconds until it is to be done again, or None. If it raises, it is done
        again after a pause that doubles with every failure in a row.
    workers
        How many keys are worked on at once.
    """

    def __init__(self, work: Callable[[K], Awaitable[float | None]], workers: int) -> None:
        self._work = work
        self._workers = workers
        self._ready: asyncio.Queue[K] = asyncio.Queue()
        self._waiting: set[K] = set()
        self._active: set[K] = set()
        self._added_meanwhile: set[K] = set()
        self._timers: dict[K, asyncio.TimerHandle] = {}
        self._failures: dict[K, int] = {}

    def add(self, key: K) -> None:
        """Have a key worked on as soon as a worker is free."""
        if key in self._active:
            self._added_meanwhile.add(key)
        elif key not in self._waiting:
            self._waiting.add(key)
            self._ready.put_nowait(key)
            metrics.QUEUE_DEPTH.set(len(self._waiting))

    def add_after(self, key: K, seconds: float) -> None:
        """Have a key worked on after a pause; it takes the place of a pause that was asked for before."""
        self._cancel_timer(key)
        self._timers[key] = asyncio.get_running_loop().call_later(seconds, self._ring, key)

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as group:
            for _ in range(self._workers):
                group.create_task(self._serve())

    def _ring(self, key: K) -> None:
        del self._timers[key]
        self.add(key)

    def _cancel_timer(self, key: K) -> None:
        if timer := self._timers.pop(key, None):
            timer.cancel()

    async def _serve(self) -> None:
        while True:
            key = await self._ready.get()
            self._waiting.discard(key)
            self._active.add(key)
            metrics.QUEUE_DEPTH.set(len(self._waiting))
            self._cancel_timer(key)
            try:
                await self._attempt(key)
            finally:
                self._active.discard(key)
            if key in self._added_meanwhile:
                self._added_meanwhile.discard(key)
                self.add(key)

    async def _attempt(self, key: K) -> None:
        with metrics.RECONCILE_SECONDS.time():
            try:
                again = await self._work(key)
            except RetryError as error:
                again = self._backoff(key)
                logger.warning("%s: %s; trying again in %.1f s", key, error, again)
            except Exception:  # one bad key must not end the worker: it is logged, counted and tried again
                again = self._backoff(key)
                logger.exception("%s: trying again in %.1f s", key, again)
            else:
                metrics.RECONCILES.labels("success").inc()
                self._failures.pop(key, None)
        if again is not None:
            self.add_after(key, again)

    def _backoff(self, key: K) -> float:
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        metrics.RECONCILES.labels("error").inc()
        pause: float = min(FIRST_BACKOFF_SECONDS * 2.0 ** min(failures, 10), LAST_BACKOFF_SECONDS)
        return pause * random.uniform(0.5, 1.0)
