"""Keeps the run's page on the volume up to date, while it runs and at its end."""

from __future__ import annotations

import time
from collections.abc import Callable

from reasoning_contract.outcome import Outcome
from reasoning_contract.progress import Progress
from reasoning_contract.report import ReportStatus

from ..job import Job
from ..reporting import attempts
from ..reporting.page.page import page
from ..reporting.page.reading import Curves, read_curves, read_figures
from ..storage.run_folder import RunFolder, write_atomic

WRITE_SECONDS = 30.0
"""Shortest time between two pages of a running attempt."""


class ReportPage:
    """Gathers the metrics of every step, and writes the page no oftener than is read.

    Parameters
    ----------
    job
        The job.
    folder
        Where the page lies, and what it is made from.
    say
        Tells people that it cannot be written.
    clock
        Seconds since any moment.

    Attributes
    ----------
    status
        Where the page lies; None before there is one.
    """

    def __init__(
        self,
        job: Job,
        folder: RunFolder,
        say: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._job, self._folder, self._say, self._clock = job, folder, say, clock
        self._curves: Curves | None = None
        self._last: Progress | None = None
        self._written: float | None = None
        self._unwritten = False
        self.status = self._status() if folder.report.is_file() else None

    def _status(self) -> ReportStatus:
        return ReportStatus(path=str(self._folder.report))

    def begin(self, before: Progress | None) -> None:
        """Note the attempt before this one, where it could not do so itself.

        Parameters
        ----------
        before
            Its last report; None for the first attempt.
        """
        if before is not None:
            self._keep(before, None)

    def take(self, progress: Progress) -> None:
        """Take in a report, and write the page if the last one is old."""
        if progress.stage == "load":
            return  # what an earlier attempt left is only now compared with the spec, and may be thrown away
        self._note(progress)
        moment = self._clock()
        if self._written is None or moment - self._written >= WRITE_SECONDS:
            self._written = moment
            self._write(progress, None)

    def finish(self, progress: Progress, outcome: Outcome) -> None:
        """Note an attempt that has ended, and write its page."""
        self._keep(progress, outcome)
        self._write(progress, outcome)

    def _keep(self, progress: Progress, outcome: Outcome | None) -> None:
        try:
            if outcome is not None:
                attempts.keep(self._folder, attempts.record(progress, outcome))
            elif progress.attempt not in {each.attempt for each in attempts.read(self._folder)}:
                attempts.keep(self._folder, attempts.ended_without_a_word(progress))
        except Exception as error:  # as with the page
            self._say(f"the attempt cannot be noted in {self._folder.attempts}: {type(error).__name__}: {error}")

    def _note(self, progress: Progress) -> None:
        """Note the metrics of a step: only those that have changed are the step's own."""
        known, training, step = self._noted(), progress.training, progress.progress.step
        is_news = self._last is None or training != self._last.training
        if is_news and training is not None and step and progress.stage in known:
            known[progress.stage][step] = training
        self._last = progress

    def _noted(self) -> Curves:
        if self._curves is None:
            self._curves = read_curves(self._folder)
        return self._curves

    def _write(self, progress: Progress, outcome: Outcome | None) -> None:
        try:
            text = page(read_figures(self._job, self._folder, progress, self._noted(), outcome))
            write_atomic(self._folder.report, text)
            self.status = self._status()
        except Exception as error:  # whatever is wrong with the page, the run goes on without it
            if not self._unwritten:
                self._say(f"the report cannot be written to {self._folder.report}: {type(error).__name__}: {error}")
            self._unwritten = True
