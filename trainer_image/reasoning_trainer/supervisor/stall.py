"""Ends a worker that hangs, and tells where."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from time import monotonic as clock

from reasoning_contract.outcome import Outcome
from reasoning_contract.progress import Progress
from reasoning_contract.spec import Stall

from ..guards.stall import CONDITION, StallGuard
from ..guards.verdict import Verdict
from .calls import innermost
from .reports import Reports

GLANCE_SECONDS = 1.0
"""How often to look whether the run goes on."""


class StallWatch:
    """A thread that acts on what the guard says.

    Parameters
    ----------
    settings
        ``spec.guards.stall``.
    reports
        Has the last report, and shows a warning.
    calls
        Tells what the worker's threads are doing, by Python's faulthandler.
    kill
        Ends the worker.

    Attributes
    ----------
    outcome
        How the attempt ends if the worker was ended; None if it was not.
    """

    def __init__(self, settings: Stall, reports: Reports, calls: Callable[[], str], kill: Callable[[], None]) -> None:
        self._reports, self._calls, self._kill = reports, calls, kill
        self._guard = StallGuard(settings, clock())
        self.outcome: Outcome | None = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="stall", daemon=True)
        if settings.action != "off":
            self._thread.start()

    def take(self, progress: Progress) -> None:
        """Take in a report of the worker's."""
        self._guard.take(progress, clock())

    def finish(self) -> None:
        """Stop watching: the worker has ended."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(GLANCE_SECONDS):
            if self._guard.seconds_left(clock()) <= 0:
                self._act()

    def _act(self) -> None:
        verdict = self._guard.judge(self._reports.latest, clock(), self._where)
        self._reports.judge(verdict.to_report(CONDITION))
        if verdict.problem is not None and verdict.action == "fail":
            self.outcome = Outcome.of(verdict.problem)
            self._kill()
            self._ended.set()
        else:
            self._reports.say(f"warning: {verdict.message}")
            self._wait_for_progress()

    def _where(self) -> str:
        """Have the calls of all threads in the log, and return the innermost of the main one."""
        text = self._calls()
        sys.stderr.write(text)
        sys.stderr.flush()
        return innermost(text)

    def _wait_for_progress(self) -> None:
        stood = self._guard.moved
        while not self._ended.wait(GLANCE_SECONDS):
            if self._guard.moved != stood:
                lost = f"the run went on after {self._guard.moved - stood:.0f} s without progress"
                self._reports.judge(Verdict(lost).to_report(CONDITION))
                return
