"""Shows a command to whoever started it: on a terminal live, elsewhere in plain lines.

What is over stays: a line for each stage, with what came of it.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress import BarColumn, TextColumn
from rich.progress import Progress as Bars
from rich.table import Column, Table
from rich.text import Text

from reasoning_contract.progress import Progress
from reasoning_contract.report import Score, TrainingStatus

from .tracker import duration

LINE_SECONDS = 10.0
"""Shortest time between two plain lines of one stage."""
CURVE = 24
"""Steps that the curve of the reward shows at most."""
NAME, BAR = 10, 24
"""Characters of a line's name and of a bar, at most."""
BLOCKS = "▁▂▃▄▅▆▇█"
TRAINED = ("warmup", "reinforce")
MODELS = {"base": "base", "warmup": "warm-up", "reinforce": "final"}


def summary(progress: Progress) -> str:
    """Return a report in one line: stage, progress, time left and the figures of the last step."""
    status = progress.progress
    parts = [progress.stage, status.display, status.detail, f"{status.eta} left" if status.eta else None]
    return "  ".join(part for part in (*parts, _figures(progress)) if part)


def conclusion(progress: Progress, seconds: float) -> str:
    """Return what came of a stage in one line, from its last report.

    Parameters
    ----------
    progress
        The report.
    seconds
        How long the stage took in this attempt.
    """
    status = progress.progress
    parts = [f"{progress.stage:<9}", f"{duration(seconds):>6}"]
    if progress.stage in TRAINED:
        parts += [f"step {status.step} of {status.total_steps}", _figures(progress)]
    elif progress.stage == "evaluate":
        parts += [_subject(progress), _evaluated(progress)]
    elif progress.stage == "export":
        parts += [f"{each.kind} {each.path}" for each in progress.artifacts or []]
    elif progress.model:
        sizes = (progress.model.parameters, progress.model.trainable_parameters)
        parts += [f"{progress.model.backend}, {sizes[0] or 0:,} parameters, {sizes[1] or 0:,} of them trained"]
    return "  ".join(part for part in parts if part)


def curve(values: Sequence[float]) -> str:
    """Return a curve of blocks, from the lowest value to the highest.

    >>> curve([0.0, 0.5, 1.0])
    '▁▅█'
    """
    low, high = min(values, default=0.0), max(values, default=0.0)
    top = len(BLOCKS) - 1
    return "".join(BLOCKS[round(top * (value - low) / (high - low)) if high > low else 0] for value in values)


def _figures(progress: Progress) -> str:
    training = progress.training
    if training is None or progress.stage not in TRAINED:
        return ""
    return " ".join(f"{name} {value}" for name, value in (_rewards(training) | _signals(training)).items())


def _rewards(training: TrainingStatus) -> dict[str, str]:
    figures = {"reward": training.reward, **(training.rewards or {})}
    return {name: f"{value:.3g}" for name, value in figures.items() if value is not None}


def _signals(training: TrainingStatus) -> dict[str, str]:
    figures = {"loss": training.loss, "kl": training.kl, "length": training.completion_length}
    shares = {"cut": training.clipped_share, "alike": training.zero_variance_share}
    rate = training.tokens_per_second
    return (
        {name: f"{value:.3g}" for name, value in figures.items() if value is not None}
        | {name: f"{value:.0%}" for name, value in shares.items() if value}
        | ({"tokens/s": f"{rate:,.0f}"} if rate is not None else {})
        | {f"unscored {name}": str(count) for name, count in (training.unscored or {}).items()}
    )


def _subject(progress: Progress) -> str:
    """Return which model is evaluated, or nothing in the other stages."""
    return (progress.progress.detail or "").partition(", row")[0] if progress.stage == "evaluate" else ""


def _scores(progress: Progress) -> dict[str, Score]:
    held_out = progress.evaluation.held_out if progress.evaluation else None
    found = {title: getattr(held_out, model, None) for model, title in MODELS.items()}
    return {title: score for title, score in found.items() if score is not None}


def _evaluated(progress: Progress) -> str:
    """Return the scores of the model that was evaluated last."""
    scores = list(_scores(progress).values())
    if not scores:
        return ""
    last = scores[-1]
    interval = " (95% {:.3f} - {:.3f})".format(*last.ci95) if last.ci95 else ""
    figures = [
        f"accuracy {last.accuracy:.3f}{interval}" if last.accuracy is not None else "",
        f"format {last.format:.3f}",
        f"length {last.mean_length:.1f}",
        f"preferred {last.preferred:.3f}" if last.preferred is not None else "",
        f"margin {last.margin:.2f}" if last.margin is not None else "",
    ]
    return ", ".join(filter(None, figures))


class View:
    """The live part of the terminal: what is running."""

    def __init__(self) -> None:
        self.progress: Progress | None = None
        self.notice = ""
        self.rewards: deque[float] = deque(maxlen=CURVE)
        self._started = time.monotonic()

    def __rich__(self) -> RenderableType:
        """Return one line each for the stage, the whole run, the rewards, the other figures and the scores."""
        # no wider than its text: a line that ends at the terminal's edge breaks where a key is echoed, or at a resize
        view = Table.grid(padding=(0, 1))
        view.add_column(no_wrap=True, style="dim", width=NAME)
        view.add_column()
        bars = _bars()
        if self.progress is not None:
            self._stage(bars, self.progress)
            self._figures(view, self.progress)
        if self.notice:
            view.add_row("", Text(self.notice, "yellow"))
        return Group(bars.make_tasks_table(bars.tasks), view)

    def _stage(self, bars: Bars, progress: Progress) -> None:
        status = progress.progress
        text = status.detail or ""
        if status.total_steps:
            pace = f", {status.step_seconds:.2g} s each" if status.step_seconds else ""
            text = f"{status.step} of {status.total_steps}{pace}  {_subject(progress) or text}"
        bars.add_task(f"[bold cyan]{progress.stage}", total=status.total_steps, completed=status.step or 0, text=text)
        elapsed = f"{duration(time.monotonic() - self._started)} so far"
        left = f", {status.eta} left" if status.eta else ""
        bars.add_task("[dim]run", total=100, completed=status.percent, text=f"{status.percent}%, {elapsed}{left}")

    def _figures(self, view: Table, progress: Progress) -> None:
        training = progress.training
        if training is not None and progress.stage in TRAINED:
            rewards, signals = _rewards(training), _signals(training)
            if rewards:
                view.add_row("rewards", _pairs(rewards, curve(list(self.rewards))))
            if signals:
                view.add_row("signals", _pairs(signals))
        scores = _scores(progress)
        for title, figure in (("held out", "accuracy"), ("preferred", "preferred")):
            shares = {name: getattr(score, figure) for name, score in scores.items()}
            texts = {name: f"{share:.3f}" for name, share in shares.items() if share is not None}
            if texts:
                view.add_row(title, _pairs(texts))


def _bars() -> Bars:
    """Return bars with their names before and a text after them, which is broken where the terminal is narrow."""
    return Bars(
        TextColumn("{task.description}", table_column=Column(width=NAME, no_wrap=True)),
        BarColumn(None, complete_style="cyan", finished_style="green", table_column=Column(max_width=BAR)),
        TextColumn("{task.fields[text]}", markup=False, table_column=Column(overflow="fold")),
    )


def _pairs(figures: dict[str, str], curve: str = "") -> Text:
    line = Text()
    for number, (name, value) in enumerate(figures.items()):
        line.append(f"{'   ' if number else ''}{name} ", "dim").append(value, "bold")
        if curve and not number:
            line.append(f" {curve}", "cyan")
    return line


class Display:
    """Shows every report that it is given.

    Attributes
    ----------
    view
        The live part.
    """

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(highlight=False, soft_wrap=True)
        self.view = View()
        self._live: Live | None = None
        if self._console.is_terminal and not self._console.is_dumb_terminal:
            self._live = Live(self.view, console=self._console, refresh_per_second=8, transient=True)
        self._last: Progress | None = None
        self._stage_began = time.monotonic()
        self._shown = -LINE_SECONDS

    def show(self, progress: Progress) -> None:
        """Show a report; without a terminal, at most one a `LINE_SECONDS` of each stage."""
        begins = self._last is None or _part(progress) != _part(self._last)
        if begins:
            self._conclude("✓", "green")
            self._stage_began, self._shown = time.monotonic(), -LINE_SECONDS
            self.view.rewards.clear()
        self._remember_reward(progress)
        self._last = self.view.progress = progress
        if self._live:
            if not self._live.is_started:
                self._live.start()
        elif time.monotonic() - self._shown >= LINE_SECONDS:
            self._shown = time.monotonic()
            self.say(summary(progress))

    def _remember_reward(self, progress: Progress) -> None:
        reward = progress.training.reward if progress.training else None
        before = self._last.training if self._last else None
        if reward is not None and progress.training is not before and progress.stage in TRAINED:
            self.view.rewards.append(reward)

    def _conclude(self, sign: str, style: str) -> None:
        """Leave a line of the stage that is over."""
        if self._last is not None:
            line = conclusion(self._last, time.monotonic() - self._stage_began)
            self._console.print(Text.assemble((sign, style), " ", line) if self._live else Text(line))

    def say(self, text: RenderableType) -> None:
        """Print a line or a table that stays."""
        self._console.print(text, markup=False)

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


def _part(progress: Progress) -> tuple[str, str]:
    """Return what a report is about: the stage, and the model that is evaluated."""
    return progress.stage, _subject(progress)
