"""What is known of the attempt: shown, served, and kept on the volume for the next one."""

from __future__ import annotations

import threading
import time
from typing import Any

from reasoning_contract.exit_codes import ExitCode
from reasoning_contract.outcome import Outcome
from reasoning_contract.progress import GuardReport, Progress

from ..errors import TrainerError
from ..reporting.display import Display
from ..storage.run_folder import RunFolder
from .channel import Message
from .report_page import ReportPage
from .volume_writer import VolumeWriter

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
        self._lock = threading.Lock()  # of what is known, never held while the volume is written to
        self._volume = VolumeWriter()
        self._own: GuardReport | None = None
        self.latest = self._completed(first)
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
            self.say(message.said)
        self.outcome = message.outcome or self.outcome

    def say(self, text: str) -> None:
        """Show a text."""
        self._display.say(text)

    def judge(self, verdict: GuardReport) -> None:
        """Add to every report what this side says of the run, beside the worker's own verdicts."""
        with self._lock:
            self._own = verdict
            self.latest = self._completed(self.latest)

    def keep(self) -> None:
        """Keep the last report of a run that is done: its next attempt would otherwise not know.

        Raises
        ------
        TrainerError
            If the volume does not answer.
        """
        if not self._volume.finish(self._keep):
            raise TrainerError(
                ExitCode.TRANSIENT,
                "VolumeHangs",
                f"the volume of {self._folder.path} does not answer: the last report is not kept there",
                "another attempt finds what is written, and goes on from there; look at the volume's server",
            )

    def conclude(self, outcome: Outcome) -> None:
        """Write the last page of the attempt, and keep the last report of one that failed, if the volume answers."""

        def work() -> None:
            self._page.finish(self.latest, outcome)
            self._complete()
            if outcome.exit_code != ExitCode.DONE:
                self._keep_if_possible()

        if not self._volume.finish(work):
            self._display.say(f"the volume of {self._folder.path} does not answer: the last page is not written")

    def _publish(self, progress: Progress) -> None:
        with self._lock:
            self.latest = self._completed(progress)
        self._display.show(progress)
        self._volume.put(lambda: self._write(progress))

    def _write(self, progress: Progress) -> None:
        self._page.take(progress)
        self._complete()
        moment = time.monotonic()
        if progress.stage != self._stage or moment - self._saved >= SAVE_SECONDS:
            self._stage, self._saved = progress.stage, moment
            self._keep_if_possible()

    def _keep(self) -> None:
        self._folder.save_progress(self.latest)

    def _keep_if_possible(self) -> None:
        """Keep it, or say once that it cannot be kept: where the volume is full, what the run writes itself ends it."""
        try:
            self._keep()
        except OSError as error:
            if not self._unkept:
                self._display.say(f"the report cannot be kept on the volume: {error}")
            self._unkept = True

    def _complete(self) -> None:
        with self._lock:
            self.latest = self._completed(self.latest)

    def _completed(self, progress: Progress) -> Progress:
        """Return a report with what the worker does not know: where the page lies, and that it stood still."""
        update: dict[str, Any] = {"report": self._page.status}
        if self._own is not None:
            others = [each for each in progress.guards or () if each.condition != self._own.condition]
            update["guards"] = [*others, self._own]
        return progress.model_copy(update=update)
