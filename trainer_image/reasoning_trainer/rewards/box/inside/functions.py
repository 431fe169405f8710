"""Loads the user's functions and calls them: whatever they do, an answer comes of it, or the process ends."""

from __future__ import annotations

import importlib
import inspect
import linecache
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, cast

from .output import Printed
from .values import read_values

Function = Callable[..., Any]
Told = tuple[int | None, str, int | None]
"""A problem: row, message, line of the source."""

FRAMES, TRACEBACK_LIMIT, WORDS_LIMIT = 4, 1_500, 500
"""Frames and characters of a traceback's end, and characters of an error's own words, that a message gives."""
PROBLEM_LIMIT = 8
"""Problems of a batch that are told one by one."""
SEARCH_SHARE = 0.25
"""Part of a batch's time that may go into finding the row at which a function fails."""


@dataclass(frozen=True)
class Asked:
    """A function that is asked for.

    Attributes
    ----------
    name
        Its name in the source or module.
    origin
        Where the source stands, as messages name it.
    source, module
        The text that defines it, or the module to import it from.
    params
        Further keyword arguments.
    """

    name: str
    origin: str
    source: str | None
    module: str | None
    params: dict[str, Any] = field(hash=False)


class Functions:
    """Answers batches by functions that are loaded when they are first asked for, and stay."""

    def __init__(self, printed: Printed) -> None:
        self._printed = printed
        self._loaded: dict[Asked, Function] = {}

    def answer(self, asked: Asked, arguments: Mapping[str, list[Any]], rows: int, deadline: float) -> dict[str, Any]:
        """Return a number or None for each row, the problems, and what was printed; without rows, only load."""
        begin = time.monotonic()
        self._printed.take()
        try:
            function = self._load(asked)
            accepted = _accepted(function, arguments)
        except BaseException as error:  # SystemExit too is told, and not obeyed
            return self._failed(asked, rows, _describe(asked, error, None))
        if not rows:
            return {"values": [], "problems": [], "printed": self._printed.take()}
        try:
            returned = _call(function, accepted, asked.params)
        except BaseException as error:
            told = _describe(asked, error, None)
            printed = self._printed.take()
            row = _guilty_row(function, accepted, asked, type(error), begin + SEARCH_SHARE * deadline)
            self._printed.take()
            told = told if row is None else _describe(asked, error, row)
            return self._failed(asked, rows, told) | {"printed": printed}
        values, problems = read_values(returned, rows)
        line = _first_line(function)
        told_values = [(row, _head(asked, row, line) + what, line) for row, what in problems]
        return {"values": values, "problems": _bounded(told_values), "printed": self._printed.take()}

    def _failed(self, asked: Asked, rows: int, told: Told) -> dict[str, Any]:
        return {"values": [None] * rows, "problems": [told], "printed": self._printed.take()}

    def _load(self, asked: Asked) -> Function:
        if asked not in self._loaded:
            self._loaded[asked] = _load(asked)
        return self._loaded[asked]


def _load(asked: Asked) -> Function:
    """Return the function, from its source or module."""
    if asked.source is None:
        module = importlib.import_module(asked.module or "")
    else:
        lines = asked.source.splitlines(keepends=True)
        linecache.cache[asked.origin] = (len(asked.source), None, lines, asked.origin)
        code = compile(asked.source, asked.origin, "exec")
        module = ModuleType(f"user_code_{len(linecache.cache)}")
        sys.modules[module.__name__] = module
        exec(code, module.__dict__)
    function = getattr(module, asked.name, None)
    if callable(function):
        return cast(Function, function)
    raise NameError(f"{asked.origin} defines no function {asked.name!r}")


def _accepted(function: Function, arguments: Mapping[str, list[Any]]) -> dict[str, list[Any]]:
    """Return those arguments that the function has a name for; all of them if it takes ``**kwargs``."""
    parameters = inspect.signature(function).parameters
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        return dict(arguments)
    return {name: value for name, value in arguments.items() if name in parameters}


def _call(function: Function, arguments: Mapping[str, list[Any]], params: Mapping[str, Any]) -> Any:
    """Return what the function returns; if it was declared with ``async def``, what it returns in the end."""
    if not inspect.iscoroutinefunction(function):
        return function(**arguments, **params)
    import asyncio  # 50 ms that a plain function does not need

    return asyncio.run(function(**arguments, **params))


def _guilty_row(
    function: Function, arguments: Mapping[str, list[Any]], asked: Asked, error: type[BaseException], until: float
) -> int | None:
    """Return the first row that fails alone in the same way; None if none does, or the time is over."""
    rows = len(next(iter(arguments.values()), []))
    for row in range(rows):
        if time.monotonic() > until:
            return None
        try:
            _call(function, {name: column[row : row + 1] for name, column in arguments.items()}, asked.params)
        except error:
            return row
        except BaseException:  # it fails in another way without its neighbours: that says nothing
            continue
    return None


def _describe(asked: Asked, error: BaseException, row: int | None) -> Told:
    """Return what is told of an error: function, row and line, and the end of the traceback."""
    if isinstance(error, MemoryError):
        traceback.clear_frames(error.__traceback__)
    frames = traceback.extract_tb(error.__traceback__)
    own = next((place for place, frame in enumerate(frames) if frame.filename == asked.origin), len(frames))
    line = next((frame.lineno for frame in reversed(frames) if frame.filename == asked.origin), None)
    if isinstance(error, SyntaxError) and error.filename == asked.origin:
        line = error.lineno
    end = "".join(traceback.format_list(frames[own:][-FRAMES:]))[-TRACEBACK_LIMIT:]
    return row, f"{_head(asked, row, line)}{type(error).__name__}: {_words(error)}\n{end}".rstrip(), line


def _words(error: BaseException) -> str:
    """Return an error's own words, as far as it has them."""
    try:
        return str(error)[:WORDS_LIMIT]
    except Exception:  # the error's class is the user's too
        return "(it cannot be printed)"


def _head(asked: Asked, row: int | None, line: int | None) -> str:
    where = "" if row is None else f", row {row}"
    at = "" if line is None else f" (line {line} of {asked.origin})"
    return f"{asked.name}{where}{at}: "


def _first_line(function: Function) -> int | None:
    code = getattr(inspect.unwrap(function), "__code__", None)
    return code.co_firstlineno if code else None


def _bounded(told: list[Told]) -> list[Told]:
    """Return the first problems, and how many there are beside."""
    more = len(told) - PROBLEM_LIMIT
    return [*told[:PROBLEM_LIMIT], *([(None, f"and {more} rows more", None)] if more > 0 else [])]
