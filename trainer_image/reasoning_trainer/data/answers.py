"""Takes the answer out of a longer text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from reasoning_contract.exit_codes import ExitCode

from ..errors import TrainerError, invalid_data
from .examples import Example


def extract_answers(examples: list[Example], pattern: str | None, field: str) -> tuple[list[Example], str]:
    """Replace each answer by the first group of the pattern's first match in it; without a pattern return them all.

    Returns
    -------
    tuple
        The rows, and a sentence that says in how many rows the pattern matches several different values and which
        of them counts; empty if it does so in none.

    Raises
    ------
    TrainerError
        If the pattern is no regular expression with a group, or does not match in some row.
    """
    if pattern is None:
        return examples, ""
    where = f"{field}.answerPattern {pattern!r}"
    expression = _compile(pattern, where)
    values = [[_values(expression, text) for text in example.accepted or ("",)] for example in examples]
    misses = [row for row, texts in enumerate(values) if not all(each and each[0] for each in texts)]
    if misses:
        first = examples[misses[0]]
        shown = f"row {first.place.row}: {first.told_answer or first.answer!r:.200}"
        message = f"{where} does not match in {len(misses)} of {len(examples)} rows, first in {shown}"
        raise invalid_data("AnswerPatternUnmatched", message, "mend the pattern, or remove those rows")
    read = [_with(example, [each[0] for each in texts]) for example, texts in zip(examples, values, strict=True)]
    return read, _ambiguity(read, [texts[0] for texts in values], where)


def _with(example: Example, found: Sequence[str]) -> Example:
    """Return a row with what was found in its answers, the first of which stands for all."""
    return replace(example, answer=found[0], answers=tuple(dict.fromkeys(found)) if example.answers else ())


def _values(expression: re.Pattern[str], text: str) -> list[str]:
    """Return what the group of every match holds, without the space around it."""
    return [(match[1] or "").strip() for match in expression.finditer(text)]


def _ambiguity(rows: Sequence[Example], values: Sequence[Sequence[str]], where: str) -> str:
    several = [(row, each) for row, each in zip(rows, values, strict=True) if len(set(filter(None, each))) > 1]
    if not several:
        return ""
    row, found = several[0]
    different = ", ".join(repr(value)[:60] for value in list(dict.fromkeys(found))[:3])
    return (
        f"{where} matches several different values in {len(several)} of {len(rows)} rows, first in row "
        f"{row.place.row}: {different}; the first one counts, {found[0]!r:.60} (for the last, begin it with (?s).*)"
    )


def _compile(pattern: str, where: str) -> re.Pattern[str]:
    try:
        expression = re.compile(pattern)
    except re.error as error:
        raise TrainerError(
            ExitCode.SPEC_INVALID, "AnswerPatternInvalid", f"{where}: {error}", "write a Python regular expression"
        ) from error
    if not expression.groups:
        raise TrainerError(
            ExitCode.SPEC_INVALID, "AnswerPatternInvalid", f"{where} has no group", "put the answer in ( )"
        )
    return expression
