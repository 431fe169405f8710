"""Runs a row's tests in a box of their own, without the program that they test: what it answers is handed in.

Tests are run again from the beginning with every answer of the program's that they need: so the program never shares a
process with them, and cannot patch, end or read them.
"""

from __future__ import annotations

import builtins
import importlib
import json
import random
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any

from . import paged
from .paged import page
from .plain_values import dump, load

__all__ = ["page", "run_tests"]

CHECK = "check"
"""HumanEval's name for a test that is handed the function."""


class Needed(BaseException):
    """An answer of the program's that is not there yet."""


class Program:
    """Answers for the program, as far as its answers are known.

    Parameters
    ----------
    known
        Operations and what the program answered, in their order.
    """

    def __init__(self, known: Sequence[tuple[Any, Any]]) -> None:
        self._known, self._next = known, 0
        self.needed: Any = None

    def ask(self, what: str, on: Any, arguments: Sequence[Any] = (), named: Any = None) -> Any:
        """Return what the program answers to an operation; its errors are raised."""
        dumped = [dump(each, _reference) for each in arguments]
        operation = [what, on, dumped, {name: dump(each, _reference) for name, each in (named or {}).items()}]
        if self.needed is not None or self._next == len(self._known):
            self.needed = self.needed or operation
            raise Needed
        asked, answer = self._known[self._next]
        if asked != operation:
            raise RuntimeError("the tests do not do the same when they are run again")
        self._next += 1
        if "raised" in answer:
            raise _error(answer)
        for given, after in zip(arguments, answer["done"].get("after", ()), strict=False):
            _take_over(given, load(after, self._remote))
        return load(answer["done"]["result"], self._remote)

    def _remote(self, dumped: list[Any]) -> Remote:
        match dumped:
            case ["kept", int(number)]:
                return Remote(self, number)
        raise ValueError(f"{dumped!r:.100} is no value")


class Remote:
    """Something of the program's: a name, or what cannot leave its box."""

    def __init__(self, program: Program, on: Any) -> None:
        self._program, self._on = program, on

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        return self._program.ask("call", self._on, arguments, named)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self._program.ask("attribute", self._settled(), [name])

    def __iter__(self) -> Iterator[Any]:
        return iter(self._program.ask("items", self._settled()))

    def __len__(self) -> int:
        return int(self._program.ask("length", self._settled()))

    def __getitem__(self, key: Any) -> Any:
        return self._program.ask("item", self._settled(), [key])

    def __bool__(self) -> bool:
        return True

    def _settled(self) -> Any:
        return self._on


class Names(dict[str, Any]):
    """The names of the tests; one that they do not define is the program's."""

    def __init__(self, program: Program, defined: Sequence[str]) -> None:
        super().__init__({"__name__": "tests", "__builtins__": builtins})
        self._program, self._defined = program, frozenset(defined)

    def __missing__(self, name: str) -> Any:
        if name in self._defined:
            return Remote(self._program, name)
        if hasattr(builtins, name):
            raise KeyError(name)  # Python then looks there
        if name in sys.stdlib_module_names:  # the program's own module of that name could say anything
            return importlib.import_module(name)
        raise NameError(f"neither the tests nor the program define {name}")


def run_tests(
    tests: Sequence[str], entry: Sequence[str | None], defined: Sequence[Any], known: Sequence[Any]
) -> list[float]:
    """Run tests as far as the program's answers go, and answer how they ended, or which answer they need.

    Parameters
    ----------
    tests
        Their source.
    entry
        Name of the function that a test `check` is handed.
    defined
        Names that the program defines.
    known
        Operations and the program's answers so far.
    """
    try:
        code = compile(tests[0], "tests", "exec")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return paged.answer(json.dumps({"broken": f"{type(error).__name__}: {error}"}))
    random.seed(0)
    program = Program(known[0])
    names = Names(program, [name for name in defined[0] if name not in sys.stdlib_module_names])
    try:
        exec(code, names)
        for function in _functions(names, entry[0], program):
            function()
        ended: dict[str, Any] = {"passed": True}
    except BaseException as error:
        ended = {"passed": False, "why": f"{type(error).__name__}: {error}"[:200]}
    # tests may catch everything, what they need too
    return paged.answer(json.dumps(ended if program.needed is None else {"needed": program.needed}))


def _functions(names: Names, entry: str | None, program: Program) -> list[Callable[[], Any]]:
    own = [value for name, value in dict.items(names) if name.startswith("test") and callable(value)]
    check = dict.get(names, CHECK)
    return [*own, *([lambda: check(Remote(program, entry))] if check and entry else [])]


def _reference(value: Any) -> Any:
    if isinstance(value, Remote):
        on = value._on
        return ["named" if isinstance(on, str) else "kept", on]
    raise TypeError(f"tests hand over plain values, and no {type(value).__name__}")


def _take_over(given: Any, after: Any) -> None:
    """Change an argument as the call changed it."""
    if type(given) is list and type(after) is list:
        given[:] = after
    elif type(given) in (dict, set) and type(after) is type(given):
        given.clear()
        given.update(after)


def _error(answer: Any) -> Exception:
    """Return the program's error as Python's own of that name."""
    kind, words = getattr(builtins, str(answer["raised"]), None), answer["words"]
    if isinstance(kind, type) and issubclass(kind, Exception):
        with suppress(TypeError):  # UnicodeError and its like want more than words
            return kind(words)
    return RuntimeError(f"{answer['raised']}: {words}")
