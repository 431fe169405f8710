"""Reads what comes out of a box: nothing of it is believed before it is checked, for the user's code may write it."""

from __future__ import annotations

import math
import unicodedata
from typing import Any

from .inside.frames import FrameError
from .inside.functions import PROBLEM_LIMIT
from .inside.output import PRINT_LIMIT
from .inside.walls import Walls
from .interface import BoxAnswer, Problem

MESSAGE_LIMIT = 4_000
TEXT_LIMIT = 2 * PRINT_LIMIT + 200


def read_answer(document: dict[str, Any], batch: str, rows: int) -> BoxAnswer:
    """Return the answer to a batch.

    Raises
    ------
    FrameError
        If it answers another batch, or is not of the shape that an answer has.
    """
    if document.get("id") != batch:
        raise FrameError("it answers a batch that was not asked")
    values, problems, printed = (document.get(name) for name in ("values", "problems", "printed"))
    if not isinstance(values, list) or len(values) != rows:
        raise FrameError(f"its values are not the {rows} of the batch")
    if not isinstance(problems, list) or len(problems) > PROBLEM_LIMIT + 2 or not isinstance(printed, str):
        raise FrameError("its problems or its prints are none")
    read = [_problem(problem, rows) for problem in problems]
    return BoxAnswer([_value(value) for value in values], read, clean(printed, TEXT_LIMIT))


def read_walls(document: dict[str, Any] | None) -> Walls:
    """Return the walls that a box says it has.

    Raises
    ------
    FrameError
        If it says nothing of the kind.
    """
    try:
        return Walls(**(document or {})["walls"])
    except (KeyError, TypeError) as error:
        raise FrameError(f"it does not say which walls it has: {error}") from error


def clean(text: str, limit: int) -> str:
    """Return the text without control characters, which a terminal would obey, and no longer than the limit."""
    return "".join(each for each in text[:limit] if each in "\n\t" or unicodedata.category(each) not in ("Cc", "Cs"))


def _value(value: Any) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise FrameError(f"a {type(value).__name__} is among its values")
    try:
        number = float(value)
    except OverflowError as error:
        raise FrameError("a value is too large") from error
    if not math.isfinite(number):
        raise FrameError("a value is not finite")
    return number


def _problem(problem: Any, rows: int) -> Problem:
    match problem:
        case [row, str(message), line] if _is_index(row, rows) and _is_index(line, 2**31):
            return Problem(row, clean(message, MESSAGE_LIMIT), line)
    raise FrameError("a problem of it is none")


def _is_index(value: Any, end: int) -> bool:
    return value is None or (isinstance(value, int) and not isinstance(value, bool) and 0 <= value < end)
