"""Shows a command to whoever started it: on a terminal live, elsewhere in plain lines.

What is over stays: a line for each stage, with what came of it.
"""

from __future__ import annotations

import os
import time
from types import TracebackType
from typing import Self

from rich.console import Console, RenderableType
from rich.live import Live
from rich.text import Text

from reasoning_contract.progress import Progress
from reasoning_contract.text import printable
from reasoning_shared.run_view import RunView, conclusion, part, summary

LINE_SECONDS = 10.0
"""Shortest time between two plain lines of one stage."""


class Display:
    """Shows every report that it is given.

    Attributes
    ----------
    view
        The live part.
    """

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(highlight=False, soft_wrap=True)
        began = time.monotonic()
        self.view = RunView(lambda: time.monotonic() - began)
        self._live: Live | None = None
        if self._console.is_terminal and not self._console.is_dumb_terminal:
            self._live = Live(self.view, console=self._console, refresh_per_second=8, transient=True)
        self._last: Progress | None = None
        self._stage_began = time.monotonic()
        self._shown = -LINE_SECONDS

    def show(self, progress: Progress) -> None:
        """Show a report; without a terminal, at most one a `LINE_SECONDS` of each stage."""
        begins = self._last is None or part(progress) != part(self._last)
        if begins:
            self._conclude("✓", "green")
            self._stage_began, self._shown = time.monotonic(), -LINE_SECONDS
        self._last = progress
        self.view.take(progress)
        if self._live:
            if not self._live.is_started:
                self._live.start()
        elif time.monotonic() - self._shown >= LINE_SECONDS:
            self._shown = time.monotonic()
            self.say(summary(progress))

    def _conclude(self, sign: str, style: str) -> None:
        """Leave a line of the stage that is over."""
        if self._last is not None:
            line = conclusion(self._last, time.monotonic() - self._stage_began)
            self._console.print(Text.assemble((sign, style), " ", line) if self._live else Text(line))

    def say(self, text: RenderableType) -> None:
        """Print a line or a table that stays."""
        self._console.print(printable(text) if isinstance(text, str) else text, markup=False)

    def notice(self, text: str) -> None:
        """Show a line from now on, if there is a terminal; may be called by a signal handler, for it prints nothing."""
        self.view.notice = text

    def restore_terminal(self) -> None:
        """Show the cursor again, where the process is about to end without leaving this context."""
        if self._live:
            os.write(self._console.file.fileno(), b"\r\x1b[?25h\n")

    def finish(self) -> None:
        """Conclude the last stage, and leave the terminal to others."""
        if self._last is not None:
            whole = self._last.progress.percent == 100
            self._conclude("✓" if whole else "✗", "green" if whole else "red")
        if self._live and self._live.is_started:
            self._live.stop()
        self._last = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.finish()
