"""Draws a job from its status: a panel for a terminal or a notebook, and one line for a log."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from pydantic import ValidationError
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from reasoning_contract.job_status import Condition, Status
from reasoning_contract.progress import GUARD_CONDITIONS
from reasoning_contract.report import EvaluationStatus, Score

from .run_view import RunView, summary
from .words import duration

WIDTH = 96
COLORS = {"Succeeded": "green", "Failed": "red", "Suspended": "yellow", "Running": "cyan"}
MODELS = {"base": "base", "warmup": "after the warm-up", "reinforce": "after training"}
SIGNIFICANT = 0.05


def read_status(document: Mapping[str, Any]) -> Status:
    """Return the status of a job; parts that another version writes in a way that is not known are left out."""
    status = dict(document.get("status") or {})
    try:
        return Status.model_validate(status, extra="ignore")
    except ValidationError as error:
        unknown = {str(fault["loc"][0]) for fault in error.errors() if fault["loc"]}
        return Status.model_validate(
            {name: value for name, value in status.items() if name not in unknown}, extra="ignore"
        )


def seconds_since(moment: str | None, until: str | None, now: datetime) -> float:
    """Return the seconds from one time of the API to another, or to now; 0 where there is no first."""
    if not moment:
        return 0.0
    end = datetime.fromisoformat(until) if until else now
    return max((end - datetime.fromisoformat(moment)).total_seconds(), 0.0)


class JobView:
    """A job as a panel: phase, bars, figures of the run, held-out scores, and what is wrong.

    Parameters
    ----------
    clock
        Gives the time, with its zone.

    Attributes
    ----------
    document
        The object as the API server has it.
    """

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self.document: Mapping[str, Any] = {}
        self._status = Status()
        self._clock = clock
        self._run = RunView(self._elapsed)

    def take(self, document: Mapping[str, Any]) -> None:
        """Show this from now on."""
        self.document, self._status = document, read_status(document)
        self._run.take(self._status)

    def _elapsed(self) -> float:
        return seconds_since(self._status.start_time, self._status.completion_time, self._clock())

    def __rich__(self) -> RenderableType:
        """Return the panel."""
        status = self._status
        phase = status.phase or "Pending"
        color = COLORS.get(phase, "white")
        parts: list[RenderableType] = [self._head(phase, color)]
        if status.progress and phase not in ("Succeeded", "Failed"):
            parts.append(self._run)
        parts += scores(status.evaluation)
        parts += [Text(f"{each.type}: {each.message}", "yellow") for each in warnings(status.conditions)]
        if status.failure:
            parts.append(Text(f"{status.failure.reason}: {status.failure.told}", "red"))
        elif phase == "Succeeded":
            parts.append(Text(verdict(status.evaluation), "green"))
        meta = self.document.get("metadata") or {}
        title = Text(f"{meta.get('namespace', '')}/{meta.get('name', '')}".strip("/"))
        return Panel(Group(*parts), title=title, title_align="left", width=WIDTH, border_style=color)

    def _head(self, phase: str, color: str) -> Text:
        status = self._status
        head = Text.assemble((phase, f"bold {color}"))
        told = [
            status.progress.display if status.progress else "",
            f"attempt {status.attempts}" if status.attempts else "",
            f"{duration(self._elapsed())}" if status.start_time else "",
            f"resumed from step {status.resumed_from_step}" if status.resumed_from_step else "",
            f"{status.gpu_hours:.2f} GPU-hours" if status.gpu_hours else "",
        ]
        return head.append("  " + " · ".join(filter(None, told)), "dim")


def line(document: Mapping[str, Any]) -> str:
    """Return a job in one line: phase, progress, figures, and what is wrong."""
    status = read_status(document)
    words: list[str] = [status.phase or "Pending"]
    if status.phase == "Running":
        words.append(summary(status))
    elif status.progress:
        words.append(status.progress.display)
    if status.failure:
        words.append(f"{status.failure.reason}: {status.failure.told}")
    return "  ".join(filter(None, words))


def warnings(conditions: Sequence[Condition]) -> list[Condition]:
    """Return what the guards have against a run."""
    return [each for each in conditions if each.type in GUARD_CONDITIONS and each.status == "False"]


def scores(evaluation: EvaluationStatus | None) -> list[Table]:
    """Return the table of the held-out scores; none where nothing was evaluated yet."""
    if evaluation is None:
        return []
    held_out = evaluation.held_out
    found = {title: score for stage, title in MODELS.items() if (score := getattr(held_out, stage))}
    pairs = all(score.accuracy is None for score in found.values())
    table = Table("model", *_columns(pairs), box=None, padding=(0, 3, 0, 0))
    for title, score in found.items():
        table.add_row(title, *_cells(score, pairs))
    return [table] if found else []


def _columns(pairs: bool) -> tuple[str, ...]:
    return ("preferred", "margin", "format") if pairs else ("accuracy", "95% interval", "format", "length")


def _cells(score: Score, pairs: bool) -> list[str]:
    if pairs:
        return [_figure(score.preferred), _figure(score.margin), _figure(score.format)]
    interval = "{:.3f} to {:.3f}".format(*score.ci95) if score.ci95 else ""
    return [_figure(score.accuracy), interval, _figure(score.format), f"{score.mean_length:.0f}"]


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def verdict(evaluation: EvaluationStatus | None) -> str:
    """Return in a sentence whether the training raised the held-out figures."""
    if evaluation is None:
        return "Nothing was evaluated: there is no proof of a gain."
    accuracy = ("the accuracy", evaluation.improvement, evaluation.p_value)
    preferred = ("the share of preferred pairs", evaluation.preferred_improvement, evaluation.preferred_p_value)
    what, gain, p_value = accuracy if evaluation.improvement is not None else preferred
    if gain is None or p_value is None:
        return "The model was not compared with the base."
    test = f"one-sided exact McNemar test, p = {p_value:.2g}"
    rows = f"on {evaluation.held_out.size} held-out rows"
    if gain > 0 and p_value < SIGNIFICANT:
        return f"The training raised {what} {rows} by {gain:.3f} ({test})."
    return f"The training did not provably raise {what} {rows}: the difference is {gain:+.3f} ({test})."
