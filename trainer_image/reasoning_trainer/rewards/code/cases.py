"""Reads the tests of a row, in the forms that public data sets have them in."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

LONGEST = 2**20
"""Characters of an input or an output: as much as comes out of a box."""


@dataclass(frozen=True)
class InputOutput:
    """What a program prints for an input.

    Attributes
    ----------
    given
        Its standard input.
    expected
        What it should print.
    """

    given: str
    expected: str


@dataclass(frozen=True)
class Check:
    """Python that fails if the program is wrong.

    Attributes
    ----------
    source
        The code.
    entry
        Name of the function that its ``check`` is handed; None if it has none.
    """

    source: str
    entry: str | None


Case = InputOutput | Check


def read_cases(tests: Any, entry: Any = None) -> list[Case]:
    """Return the tests of a row.

    Parameters
    ----------
    tests
        A text of Python (HumanEval), a list of such (MBPP), objects with `input` and `output`, one with lists of
        `inputs` and `outputs` (APPS), or any of these as JSON.
    entry
        The row's `entry_point`.

    Raises
    ------
    ValueError
        If it is none of these, or there is none.
    """
    cases = list(_read(_parsed(tests), entry if isinstance(entry, str) else None))
    if not cases:
        raise ValueError("it has no tests")
    return cases


def _parsed(tests: Any) -> Any:
    """Return what a text says, if it is JSON; Python that begins like JSON is left as it is."""
    if not isinstance(tests, str) or not tests.lstrip().startswith(("[", "{")):
        return tests
    try:
        return json.loads(tests)
    except (ValueError, RecursionError):
        return tests


def _read(tests: Any, entry: str | None) -> Sequence[Case]:
    match tests:
        case str():
            return [Check(tests, entry)] if tests.strip() else []
        case {"inputs": inputs, "outputs": outputs} if tests.get("fn_name") is None:
            return [InputOutput(_text(given), _text(expected)) for given, expected in _pairs(inputs, outputs)]
        case {"input": given, "output": expected}:
            return [InputOutput(_text(given), _text(expected))]
        case Mapping():
            raise ValueError(f"its tests have {', '.join(map(str, tests))}, not input and output")
    if hasattr(tests, "tolist"):
        tests = tests.tolist()
    if isinstance(tests, list | tuple):
        return [case for each in tests for case in _read(each, entry)]
    raise ValueError(f"its tests are a {type(tests).__name__}, not text, or lists of texts or of input and output")


def _pairs(inputs: Any, outputs: Any) -> list[tuple[Any, Any]]:
    if not isinstance(inputs, list) or not isinstance(outputs, list) or len(inputs) != len(outputs):
        raise ValueError("inputs and outputs are not lists of one length")
    return list(zip(inputs, outputs, strict=True))


def _text(value: Any) -> str:
    lines = value if isinstance(value, list) else [value]
    if not all(isinstance(line, str) for line in lines):
        raise ValueError("an input or output is no text")
    text = "\n".join(lines)
    if len(text) > LONGEST:
        raise ValueError(f"an input or output is longer than {LONGEST} characters")
    return text


def same_output(expected: str, printed: str) -> bool:
    """Return whether a program printed what it should, spaces at the ends of lines and empty lines at the end aside."""
    return _settled(expected) == _settled(printed)


def _settled(text: str) -> list[str]:
    return [line.rstrip() for line in text.rstrip().splitlines()]
