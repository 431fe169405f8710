"""What is known of the attempt: shown, served, and kept on the volume for the next one."""

from __future__ import annotations

import time

from reasoning_contract.outcome import Outcome
from reasoning_contract.progress import Progress

from ..reporting.display import Display
from ..storage.run_folder import RunFolder
from .channel import Message
from .report_page import ReportPage

SAVE_SECONDS = 5.0
"""Shortest time between two reports of one stage that are kept on the volume."""


class Reports:
    """Takes in what the worker tells.

    Parameters
    ----------
    first
        The report until the worker has one.
    folder
        Where reports are kept.
    display
        Where they are shown.
    page
        The page that is made of them.

    Attributes
    ----------
    latest
        The last report.
    outcome
        The worker's last word; None before it has said it.
    pid
        The worker's process; None while there is none.
    """

    def __init__(self, first: Progress, folder: RunFolder, display: Display, page: ReportPage) -> None:
        self._page = page
        self.latest = self._with_page(first)
        self.outcome: Outcome | None = None
        self.pid: int | None = None
        self._folder, self._display = folder, display
        self._stage, self._saved = "", 0.0
        self._unkept = False

    def take(self, message: Message) -> None:
        """Take in a message."""
        if message.progress is not None:
            self._publish(message.progress)
        if message.said is not None:
            self._display.say(message.said)
        self.outcome = message.outcome or self.outcome

    def conclude(self, outcome: Outcome) -> None:
        """Write the last page of the attempt."""
        self._page.finish(self.latest, outcome)
        self.latest = self._with_page(self.latest)

    def keep(self) -> None:
        """Keep the last report on the volume."""
        self._folder.save_progress(self.latest)

    def keep_if_possible(self) -> None:
        """Keep it, or say once that it cannot be kept: where the volume is full, what the run writes itself ends it."""
        try:
            self.keep()
        except OSError as error:
            if not self._unkept:
                self._display.say(f"the report cannot be kept on the volume: {error}")
            self._unkept = True

    def _publish(self, progress: Progress) -> None:
        self._page.take(progress)
        self.latest = self._with_page(progress)
        self._display.show(progress)
        moment = time.monotonic()
        if progress.stage != self._stage or moment - self._saved >= SAVE_SECONDS:
            self._stage, self._saved = progress.stage, moment
            self.keep_if_possible()

    def _with_page(self, progress: Progress) -> Progress:
        return progress.model_copy(update={"report": self._page.status})
