"""Compares two jobs: their held-out figures, and what was different about them. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from reasoning_contract.job_status import Status
from reasoning_contract.report import Score
from reasoning_shared.job_view import read_status, seconds_since
from reasoning_shared.words import duration

Row = tuple[str, str, str]
Json = Mapping[str, Any]


def difference(first: Score, second: Score) -> tuple[float, float, float] | None:
    """Return how much the second accuracy is above the first, and the 95% interval of that.

    The interval is made from both Wilson intervals as if the rows were independent (Newcombe 1998, Statistics in
    Medicine 17:873, method 10): of two runs on the same rows it is too wide, never too narrow.

    Returns
    -------
    tuple or None
        Difference, lower and upper bound; None where one has no interval.
    """
    if first.accuracy is None or second.accuracy is None or first.ci95 is None or second.ci95 is None:
        return None
    (low_1, high_1), (low_2, high_2) = first.ci95, second.ci95
    gain = second.accuracy - first.accuracy
    below = math.hypot(second.accuracy - low_2, high_1 - first.accuracy)
    above = math.hypot(high_2 - second.accuracy, first.accuracy - low_1)
    return gain, gain - below, gain + above


def figures(first: Json, second: Json) -> list[Row]:
    """Return what two jobs show, a row a figure: its name and both values."""
    both = [dict(_figures(read_status(each))) for each in (first, second)]
    names = list(dict.fromkeys([*both[0], *both[1]]))
    return [(name, both[0].get(name, "-"), both[1].get(name, "-")) for name in names]


def _figures(status: Status) -> Iterator[tuple[str, str]]:
    yield "phase", status.phase or "-"
    held_out = status.evaluation.held_out if status.evaluation else None
    if held_out:
        yield "held-out rows", str(held_out.size)
        for title, score in (("base", held_out.base), ("after training", held_out.last)):
            yield from _score(title, score)
    if status.training and status.training.reward is not None:
        yield "last reward", f"{status.training.reward:.4g}"
    if status.training and status.training.completions is not None:
        yield "completions", f"{status.training.completions:,}"
    if status.model:
        yield "backend", f"{status.model.backend}, {status.model.load_in}, {status.model.engine}"
    if status.start_time and status.completion_time:
        end = datetime.fromisoformat(status.completion_time)
        yield "took", duration(seconds_since(status.start_time, status.completion_time, end))
    if status.gpu_hours:
        yield "GPU-hours", f"{status.gpu_hours:.2f}"
    if status.attempts:
        yield "attempts", str(status.attempts)


def _score(title: str, score: Score | None) -> Iterator[tuple[str, str]]:
    if score is None:
        return
    if score.accuracy is not None:
        interval = " ({:.3f} to {:.3f})".format(*score.ci95) if score.ci95 else ""
        yield f"{title}: accuracy", f"{score.accuracy:.3f}{interval}"
    if score.preferred is not None:
        yield f"{title}: preferred", f"{score.preferred:.3f}"
    yield f"{title}: length", f"{score.mean_length:.0f}"


def spec_changes(first: Json, second: Json) -> list[Row]:
    """Return the fields of the spec in which two jobs differ."""
    before, after = (dict(_leaves(each.get("spec") or {})) for each in (first, second))
    names = sorted(before.keys() | after.keys())
    rows = [(name, str(before.get(name, "-")), str(after.get(name, "-"))) for name in names]
    return [row for row in rows if row[1] != row[2]]


def _leaves(value: Any, at: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping) and value:
        for name, each in value.items():
            yield from _leaves(each, f"{at}.{name}" if at else name)
    elif isinstance(value, list) and value and all(isinstance(each, Mapping) and "name" in each for each in value):
        for each in value:
            yield from _leaves({key: part for key, part in each.items() if key != "name"}, f"{at}[{each['name']}]")
    else:
        yield at, value


def judged(first: Json, second: Json) -> str:
    """Return in a sentence whether the second job's model is better than the first's."""
    statuses = [read_status(each) for each in (first, second)]
    names = [str(each["metadata"]["name"]) for each in (first, second)]
    scores = [status.evaluation.held_out.last if status.evaluation else None for status in statuses]
    if scores[0] is None or scores[1] is None:
        return "One of them was not evaluated: there is nothing to compare."
    found = difference(scores[0], scores[1])
    if found is None:
        return "They have no accuracies with intervals: there is nothing to compare."
    gain, low, high = found
    change = f"{names[1]} less {names[0]}: {gain:+.3f}, 95% interval {low:+.3f} to {high:+.3f}"
    change += _cost(*statuses)
    sizes = [status.evaluation.held_out.size for status in statuses if status.evaluation]
    if len(set(sizes)) > 1:
        rows = " and ".join(map(str, sizes))
        return f"Which is better cannot be said: they have held-out sets of different sizes, {rows} rows. {change}."
    if low > 0:
        return f"{names[1]} is better. {change}."
    if high < 0:
        return f"{names[0]} is better. {change}."
    return f"Neither is provably better. {change}."


def _cost(first: Status, second: Status) -> str:
    """Return how the completions compare that two runs spent, where both count them: a gain may be bought by them."""
    spent = [each.training.completions if each.training else None for each in (first, second)]
    if not spent[0] or spent[1] is None:
        return ""
    return f", with {spent[1] / spent[0]:.0%} of its completions"
