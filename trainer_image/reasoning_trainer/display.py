"""Shows the run to whoever started it: a live bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Self

from rich.console import Console, RenderableType
from rich.progress import BarColumn, TextColumn
from rich.progress import Progress as Bar

from reasoning_contract.progress import Progress

LINE_SECONDS = 10.0
"""Shortest time between two plain lines of one stage."""


def summary(progress: Progress) -> str:
    """Return a report in one line: stage, progress, time left and the figures of the last step."""
    status, training = progress.progress, progress.training
    parts = [progress.stage, status.display, status.detail]
    parts.append(f"{status.eta} left" if status.eta else None)
    if training and progress.stage in ("warmup", "reinforce"):
        figures = {
            "loss": training.loss,
            "reward": training.reward,
            **(training.rewards or {}),
            "kl": training.kl,
            "length": training.completion_length,
            "tokens/s": training.tokens_per_second,
        }
        parts.append(" ".join(f"{name} {value:.4g}" for name, value in figures.items() if value is not None))
    return "  ".join(part for part in parts if part)


class Display:
    """Shows every report that it is given."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(highlight=False, soft_wrap=True)
        self._bar: Bar | None = None
        if self._console.is_terminal:
            self._bar = Bar(BarColumn(), TextColumn("{task.description}"), console=self._console)
            self._task = self._bar.add_task("starting", total=100)
        self._stage, self._last = "", -LINE_SECONDS

    def show(self, progress: Progress) -> None:
        """Show a report; without a terminal, at most one a `LINE_SECONDS` of each stage."""
        if self._bar:
            self._bar.update(self._task, completed=progress.progress.percent, description=summary(progress))
            return
        moment = time.monotonic()
        if progress.stage != self._stage or moment - self._last >= LINE_SECONDS:
            self._stage, self._last = progress.stage, moment
            self._console.print(summary(progress), markup=False)

    def say(self, text: RenderableType) -> None:
        """Print a line or a table that stays."""
        self._console.print(text, markup=False)

    def __enter__(self) -> Self:
        if self._bar:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar:
            self._bar.stop()
