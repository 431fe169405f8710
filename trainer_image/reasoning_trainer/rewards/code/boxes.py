"""A program in a box of its own, and its tests in another: what passes between them passes through here, as texts."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

from ..box import Box, Function
from ..functions.programs import paged

PROGRAM, TESTS = "programs.program_runner", "programs.tests_runner"
STEPS = 500
"""Calls of the program's that one test may make."""
PAGE_SECONDS = 5.0


class BoxFailedError(Exception):
    """What ran in a box did not answer: it ended, took too long, or was forged."""


class BrokenTestsError(Exception):
    """Tests that cannot be run, whatever the program."""


def ask(box: Box, module: str, function: str, seconds: float, **arguments: Any) -> Any:
    """Return what a function of a module in a box answers: JSON, which the code in the box may have forged.

    Raises
    ------
    BoxFailedError
        If it does not answer.
    """

    def call(name: str, limit: float, **given: Any) -> str:
        columns = {key: [value] for key, value in given.items()}
        answer = box.call(Function(name, module=module, origin=module), columns, limit, tries=1)
        if answer.values != [1.0]:
            raise BoxFailedError(answer.problems[0].message if answer.problems else "no answer")
        return answer.printed

    first = call(function, seconds, **arguments)
    try:
        return json.loads(paged.read(first, lambda start: call("page", PAGE_SECONDS, start=start)))
    except (ValueError, RecursionError) as error:
        raise BoxFailedError(f"no answer: {error}") from error


class ProgramBox:
    """A program in a box that no other has been in.

    Parameters
    ----------
    text
        The program.
    make_box
        Makes boxes.
    """

    def __init__(self, text: str, make_box: Callable[[], Box]) -> None:
        self._text, self._box = text, make_box()

    def prints(self, given: str, seconds: float) -> tuple[bool, str]:
        """Return whether it ended well for an input in its time, and what it printed."""
        match ask(self._box, PROGRAM, "run", seconds, program=self._text, given=given):
            case [bool(ended_well), str(printed)]:
                return ended_well, printed
        raise BoxFailedError("no output")

    def passes(self, tests: CheckerBox, source: str, entry: str | None, seconds: float) -> bool:
        """Return whether it passes tests, which run in a box of theirs, in so many seconds.

        Raises
        ------
        BoxFailedError
            If it does not answer, or not in time.
        BrokenTestsError
            If the tests cannot be run.
        """
        until = time.monotonic() + seconds
        begun = ask(self._box, PROGRAM, "begin", seconds, program=self._text)
        defined = begun.get("done") if isinstance(begun, dict) else None
        if not isinstance(defined, list):
            return False
        known: list[tuple[Any, Any]] = []
        while len(known) < STEPS and (left := until - time.monotonic()) > 0:
            ended = tests.run(source, entry, [name for name in defined if isinstance(name, str)], known, left)
            if "needed" not in ended:
                return ended.get("passed") is True
            operation = json.dumps(ended["needed"])
            known.append((ended["needed"], _answer(ask(self._box, PROGRAM, "call", left, operation=operation))))
        raise BoxFailedError("it took too long or too many calls")

    def close(self) -> None:
        """End it."""
        self._box.close()


class CheckerBox:
    """Where tests run, without the programs that they test; it stays from row to row.

    Parameters
    ----------
    make_box
        Makes boxes.
    """

    def __init__(self, make_box: Callable[[], Box]) -> None:
        self._box = make_box()

    def run(
        self, source: str, entry: str | None, defined: list[str], known: list[tuple[Any, Any]], seconds: float
    ) -> dict[str, Any]:
        """Return how tests ended, or which answer of the program's they need next."""
        arguments = {"tests": source, "entry": entry, "defined": defined, "known": known}
        ended = ask(self._box, TESTS, "run_tests", seconds, **arguments)
        if not isinstance(ended, dict) or "broken" in ended:
            raise BrokenTestsError(str(ended)[:500])
        return ended

    def close(self) -> None:
        """End it."""
        self._box.close()


def _answer(answer: Any) -> dict[str, Any]:
    """Return a program's answer, if it has the shape of one."""
    match answer:
        case {"done": {"result": _}} | {"raised": str(), "words": str()}:
            return dict(answer)
    raise BoxFailedError("the program's answer is none")
