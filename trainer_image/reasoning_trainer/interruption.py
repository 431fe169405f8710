"""Ends the process in order when it is told to stop."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable

from reasoning_contract.api import GRACE_SECONDS, LAST_WORD_SECONDS
from reasoning_contract.exit_codes import ExitCode

from .errors import TrainerError

PATIENCE = float(GRACE_SECONDS - LAST_WORD_SECONDS)
"""Seconds after SIGTERM until the process ends wherever it is."""


class Interruption:
    """Remembers that SIGTERM or SIGINT came.

    The training loops save a checkpoint at the next step boundary and stop; other loops stop between two batches. A
    step that lasts longer than `PATIENCE` is abandoned: the next attempt goes on from the checkpoint before. So is one
    during which SIGINT comes again: whoever sits at the terminal does not want to wait.

    Parameters
    ----------
    abandon
        Called when patience ends, from another thread or the signal handler; it must end the process that is at work.
        A worker has a supervisor with patience, and needs none of its own.
    notify
        Called by the signal handler, with a line for people.
    """

    def __init__(
        self, abandon: Callable[[], None] = lambda: None, notify: Callable[[str], None] = lambda text: None
    ) -> None:
        self._requested = threading.Event()
        self._abandon = abandon
        self._notify = notify

    def install(self) -> None:
        """Take the signals over; from the main thread only."""
        signal.signal(signal.SIGTERM, self._receive)
        signal.signal(signal.SIGINT, self._receive)

    def _receive(self, number: int, frame: object) -> None:
        if self._requested.is_set():
            if number == signal.SIGINT:
                self._abandon()
            return
        self._requested.set()
        self._notify("stopping at the end of this step; Ctrl-C again stops at once, and loses it")
        timer = threading.Timer(PATIENCE, self._abandon)
        timer.daemon = True
        timer.start()

    @property
    def requested(self) -> bool:
        """Whether the process was told to stop."""
        return self._requested.is_set()

    def check(self) -> None:
        """Raise if the process was told to stop.

        Raises
        ------
        TrainerError
            With exit code INTERRUPTED.
        """
        if self.requested:
            raise interrupted()


def interrupted() -> TrainerError:
    """Return the error that ends an interrupted attempt."""
    return TrainerError(
        ExitCode.INTERRUPTED,
        "Interrupted",
        "the trainer was told to stop",
        "the next attempt goes on from the last checkpoint",
    )
