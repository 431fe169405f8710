"""Reads what a reward function returned: a number is a number, and nothing else becomes one."""

from __future__ import annotations

import math
import numbers
from typing import Any

Problem = tuple[int | None, str]
"""The row, if it is one row's, and what is wrong with its value."""


def read_values(returned: Any, rows: int) -> tuple[list[float | None], list[Problem]]:
    """Return a number or None for each row, and what could not be read as one.

    Lists, tuples and arrays of one dimension are read; of their elements whole and real numbers (numpy's too) that are
    finite, and None.
    """
    nothing: list[float | None] = [None] * rows
    if type(returned).__module__.partition(".")[0] in ("numpy", "torch") and hasattr(returned, "tolist"):
        returned = returned.tolist()
    if not isinstance(returned, list | tuple):
        return nothing, [(None, f"returned {_describe(returned)} instead of a list of numbers")]
    if len(returned) != rows:
        return nothing, [(None, f"returned {len(returned)} values for {rows} completions")]
    values, problems = nothing, list[Problem]()
    for row, value in enumerate(returned):
        values[row], problem = _read(value)
        if problem:
            problems.append((row, problem))
    return values, problems


def _read(value: Any) -> tuple[float | None, str | None]:
    """Return the number, or what is wrong."""
    if value is None:
        return None, None
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        return None, f"returned {_describe(value)} instead of a number"
    try:
        number = float(value)
    except (OverflowError, ValueError, TypeError) as error:
        return None, f"returned a {type(value).__name__} that is no float: {error}"
    return (number, None) if math.isfinite(number) else (None, f"returned {number}")


def _describe(value: Any) -> str:
    """Return a value's kind with a little of it, in words."""
    if value is None or isinstance(value, bool):
        return str(value)
    if hasattr(value, "__await__"):
        return "a coroutine that nobody awaited (declare the function with `async def`)"
    kind = type(value).__name__
    return f"the {kind} {value[:40]!r}" if isinstance(value, str | bytes) else f"a {kind}"
