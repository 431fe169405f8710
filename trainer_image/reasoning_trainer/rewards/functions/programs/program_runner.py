"""Runs a model's program in a box of its own. What it should print or return is not there: it is compared outside."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

from . import paged
from .paged import page
from .plain_values import dump, load

__all__ = ["begin", "call", "page", "run"]

NAME = "program"
ITEMS = 100_000
"""Elements of an iterable that is not a plain value."""
_program: ModuleType | None = None
_handles: list[Any] = []


def run(program: Sequence[str], given: Sequence[str]) -> list[float]:
    """Run a program with a text as its input, and answer ``[whether it ended well, what it printed]``."""
    written = io.BytesIO()
    output = io.TextIOWrapper(written, encoding="utf-8", errors="replace", write_through=True)
    streams = sys.stdin, sys.stdout, sys.stderr
    sys.stdin = io.TextIOWrapper(io.BytesIO(given[0].encode(errors="replace")), encoding="utf-8")
    sys.stdout, sys.stderr = output, io.StringIO()
    try:
        _execute(program[0], "__main__")
        ended_well = True
    except SystemExit as error:
        ended_well = not error.code
    except BaseException:
        ended_well = False
    finally:
        sys.stdin, sys.stdout, sys.stderr = streams
    printed = written.getvalue().decode("utf-8", "replace")
    return paged.answer(json.dumps([ended_well, printed]))


def begin(program: Sequence[str]) -> list[float]:
    """Load a program whose functions will be called, and answer the names that it defines, or how it failed."""
    global _program
    return paged.answer(_answered(lambda: sorted(_load(program[0]))))


def _load(text: str) -> set[str]:
    global _program
    _program = None
    _handles.clear()
    _program = _execute(text, NAME)
    return {name for name in vars(_program) if not name.startswith("__")}


def call(operation: Sequence[str]) -> list[float]:
    """Answer an operation on the program that was begun: see `operate`."""
    return paged.answer(_answered(lambda: operate(json.loads(operation[0]))))


def operate(operation: list[Any]) -> Any:
    """Do what a test does with the program.

    Parameters
    ----------
    operation
        ``[what, on, arguments, named arguments]``: `call`, `attribute`, `items`, `length` or `item` of something,
        which is a name of the program's or the number of what an earlier operation left here.
    """
    what, on, arguments, named = operation
    if _program is None:
        raise RuntimeError("the program is not loaded")
    subject = getattr(_program, on) if isinstance(on, str) else _handles[on]
    given = [load(each, _handle_of) for each in arguments]
    match what:
        case "call":
            result = subject(*given, **{name: load(each, _handle_of) for name, each in named.items()})
            # the test may look at what the call did to its arguments
            return {"result": dump(result, _keep), "after": [dump(each, _keep) for each in given]}
        case "attribute":
            return {"result": dump(getattr(subject, given[0]), _keep)}
        case "items":
            return {"result": dump([each for each, _ in zip(subject, range(ITEMS), strict=False)], _keep)}
        case "length":
            return {"result": len(subject)}
        case "item":
            return {"result": dump(subject[given[0]], _keep)}
    raise ValueError(what)


def _execute(text: str, name: str) -> ModuleType:
    module = ModuleType(name)
    sys.modules[name] = module
    exec(compile(text, name, "exec"), module.__dict__)
    return module


def _answered(act: Callable[[], Any]) -> str:
    """Return what comes of it, or which of Python's own errors."""
    try:
        return json.dumps({"done": act()})
    except BaseException as error:
        kinds = [kind.__name__ for kind in type(error).__mro__ if kind.__module__ == "builtins"]
        return json.dumps({"raised": kinds[0], "words": str(error)[:500]})


def _keep(value: Any) -> Any:
    """Keep what cannot go out, and return its number."""
    _handles.append(value)
    return ["kept", len(_handles) - 1]


def _handle_of(dumped: list[Any]) -> Any:
    match dumped:
        case ["kept", int(number)]:
            return _handles[number]
        case ["named", str(name)]:
            return getattr(_program, name)
    raise ValueError(f"{dumped!r:.100} is no value")
