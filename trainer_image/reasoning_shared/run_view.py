"""Draws a run: in one line, and as the live part of a terminal."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

from rich.console import Group, RenderableType
from rich.progress import BarColumn, TextColumn
from rich.progress import Progress as Bars
from rich.table import Column, Table
from rich.text import Text

from reasoning_contract.report import Report, Score, TrainingStatus

from .words import duration

CURVE = 24
"""Steps that the curve of the reward shows at most."""
NAME, BAR = 10, 24
"""Characters of a line's name and of a bar, at most."""
BLOCKS = "▁▂▃▄▅▆▇█"
TRAINED = ("warmup", "reinforce")
DIFFICULTY = "difficulty of data.train"
"""What is measured where a run tells how far it is with data.difficulty."""
MODELS = {"base": "base", "warmup": "warm-up", "reinforce": "final"}


def summary(report: Report) -> str:
    """Return a report in one line: stage, progress, time left and the figures of the last step."""
    status = report.progress
    parts: list[str | None] = [report.stage]
    parts += [status.display, status.detail, f"{status.eta} left" if status.eta else None] if status else []
    return "  ".join(part for part in (*parts, _figures(report)) if part)


def conclusion(report: Report, seconds: float) -> str:
    """Return what came of a stage in one line, from its last report.

    Parameters
    ----------
    report
        The report.
    seconds
        How long the stage took in this attempt.
    """
    status = report.progress
    parts = [f"{report.stage:<9}", f"{duration(seconds):>6}"]
    if report.stage in TRAINED and status:
        parts += [f"step {status.step} of {status.total_steps}", _figures(report)]
    elif report.stage == "evaluate":
        measured = subject(report)
        parts += [measured, _solved(report) if measured == DIFFICULTY else _evaluated(report)]
    elif report.stage == "export":
        parts += [f"{each.kind} {each.path}" for each in report.artifacts or []]
    elif report.model:
        sizes = (report.model.parameters, report.model.trainable_parameters)
        parts += [f"{report.model.backend}, {sizes[0] or 0:,} parameters, {sizes[1] or 0:,} of them trained"]
    return "  ".join(part for part in parts if part)


def curve(values: Sequence[float]) -> str:
    """Return a curve of blocks, from the lowest value to the highest.

    >>> curve([0.0, 0.5, 1.0])
    '▁▅█'
    """
    low, high = min(values, default=0.0), max(values, default=0.0)
    top = len(BLOCKS) - 1
    return "".join(BLOCKS[round(top * (value - low) / (high - low)) if high > low else 0] for value in values)


def _figures(report: Report) -> str:
    training = report.training
    if training is None or report.stage not in TRAINED:
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


def subject(report: Report) -> str:
    """Return which model is evaluated, or nothing in the other stages."""
    detail = report.progress.detail if report.progress else None
    return (detail or "").partition(", row")[0] if report.stage == "evaluate" else ""


def _scores(report: Report) -> dict[str, Score]:
    held_out = report.evaluation.held_out if report.evaluation else None
    found = {title: getattr(held_out, model, None) for model, title in MODELS.items()}
    return {title: score for title, score in found.items() if score is not None}


def _solved(report: Report) -> str:
    """Return how many of the measured rows the model solved never, and how many always."""
    found = report.difficulty
    if found is None:
        return ""
    counts = ", ".join(f"{name} {count}" for name, count in found.histogram.items() if count)
    return f"rows by right completions: {counts}; {found.set_aside} set aside"


def _evaluated(report: Report) -> str:
    """Return the scores of the model that was evaluated last."""
    scores = list(_scores(report).values())
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


class RunView:
    """The live part of the terminal: what is running.

    Parameters
    ----------
    elapsed
        Seconds since the run began.

    Attributes
    ----------
    report
        The last report.
    notice
        A line for people.
    rewards
        Rewards of the last steps, for the curve.
    """

    def __init__(self, elapsed: Callable[[], float]) -> None:
        self.report: Report | None = None
        self.notice = ""
        self.rewards: deque[float] = deque(maxlen=CURVE)
        self._elapsed = elapsed

    def take(self, report: Report) -> None:
        """Show a report from now on; the curve begins anew with each stage and each model that is evaluated."""
        before = self.report
        if before is None or part(before) != part(report):
            self.rewards.clear()
        reward = report.training.reward if report.training else None
        news = before is None or report.training != before.training
        if reward is not None and news and report.stage in TRAINED:
            self.rewards.append(reward)
        self.report = report

    def __rich__(self) -> RenderableType:
        """Return one line each for the stage, the whole run, the rewards, the other figures and the scores."""
        # no wider than its text: a line that ends at the terminal's edge breaks where a key is echoed, or at a resize
        view = Table.grid(padding=(0, 1))
        view.add_column(no_wrap=True, style="dim", width=NAME)
        view.add_column()
        bars = _bars()
        if self.report is not None:
            self._stage(bars, self.report)
            self._figures(view, self.report)
        if self.notice:
            view.add_row("", Text(self.notice, "yellow"))
        return Group(bars.make_tasks_table(bars.tasks), view)

    def _stage(self, bars: Bars, report: Report) -> None:
        status = report.progress
        if status is None or report.stage is None:
            return
        text = status.detail or ""
        if status.total_steps:
            pace = f", {status.step_seconds:.2g} s each" if status.step_seconds else ""
            text = f"{status.step} of {status.total_steps}{pace}  {subject(report) or text}"
        bars.add_task(f"[bold cyan]{report.stage}", total=status.total_steps, completed=status.step or 0, text=text)
        elapsed = f"{duration(self._elapsed())} so far"
        left = f", {status.eta} left" if status.eta else ""
        bars.add_task("[dim]run", total=100, completed=status.percent, text=f"{status.percent}%, {elapsed}{left}")

    def _figures(self, view: Table, report: Report) -> None:
        training = report.training
        if training is not None and report.stage in TRAINED:
            rewards, signals = _rewards(training), _signals(training)
            if rewards:
                view.add_row("rewards", _pairs(rewards, curve(list(self.rewards))))
            if signals:
                view.add_row("signals", _pairs(signals))
        scores = _scores(report)
        for title, figure in (("held out", "accuracy"), ("preferred", "preferred")):
            shares = {name: getattr(score, figure) for name, score in scores.items()}
            texts = {name: f"{share:.3f}" for name, share in shares.items() if share is not None}
            if texts:
                view.add_row(title, _pairs(texts))


def part(report: Report) -> tuple[str, str]:
    """Return what a report is about: the stage, and the model that is evaluated."""
    return report.stage or "", subject(report)


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
