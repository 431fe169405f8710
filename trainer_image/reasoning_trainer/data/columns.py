"""Gives columns their meaning, and takes the answer out of a longer text."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from reasoning_contract.outcome import ExitCode
from reasoning_contract.spec import Columns

from ..errors import TrainerError
from .examples import Example, Message
from .sources import Record

TEXT_ROLES = ("prompt", "answer", "reasoning", "chosen", "rejected")
SPEAKERS = ("system", "user", "assistant")


def to_examples(records: Sequence[Record], columns: Columns, field: str, required: Sequence[str]) -> list[Example]:
    """Give columns their meaning.

    Parameters
    ----------
    records
        Rows as they were read; at least one.
    columns
        Which column has which role; a role that is left empty takes the column of its own name, if there is one.
    field
        Name of the set in the spec, for messages.
    required
        Roles that every row must have.

    Raises
    ------
    TrainerError
        If a column that is named or required does not exist, or a required value is missing or of a wrong type.
    """
    there = list(dict.fromkeys(name for record in records for name in record))
    names = _columns_by_role(columns, there, field, required)

    def example(row: int, record: Record) -> Example:
        where = f"{field}, row {row}, column"
        return Example(
            **{
                role: _value(record.get(name), role, f"{where} {name}", role in required)
                for role, name in names.items()
            }
        )

    return [example(row, record) for row, record in enumerate(records, 1)]


def _columns_by_role(columns: Columns, there: list[str], field: str, required: Sequence[str]) -> dict[str, str]:
    given = columns.model_dump(exclude_none=True)
    names = {role: given.get(role, role) for role in (*TEXT_ROLES, "messages")}
    for role, name in names.items():
        if name not in there and (role in given or role in required):
            near = difflib.get_close_matches(name, there, n=1, cutoff=0.5)
            raise TrainerError(
                ExitCode.DATA_INVALID,
                "DatasetColumnMissing",
                f"{field}.columns.{role}: there is no column {name!r}; there are {', '.join(map(repr, there))}",
                f"set {field}.columns.{role} to the column that has it{f': {near[0]!r}?' if near else ''}",
            )
    return {role: name for role, name in names.items() if name in there}


def refuse_unused(columns: Columns, used: Sequence[str], field: str) -> None:
    """Refuse columns that are named though nothing reads their role.

    Parameters
    ----------
    columns
        Which column has which role.
    used
        Roles that are read.
    field
        Name of the set in the spec, for messages.

    Raises
    ------
    TrainerError
        With the first such column.
    """
    for role in columns.model_dump(exclude_none=True):
        if role not in used:
            raise TrainerError(
                ExitCode.SPEC_INVALID,
                "ColumnUnused",
                f"{field}.columns.{role} has no effect: of this set {', '.join(used)} are read",
                "remove it, or choose the algorithm that reads it",
            )


def _value(value: Any, role: str, where: str, required: bool) -> Any:
    if value is None or (isinstance(value, str) and not value.strip()):
        if required:
            raise _invalid("DatasetValueMissing", f"{where}: no {role}", "fill it in or remove the row")
        return None
    return _messages(value, where) if role == "messages" else _text(value, where)


def _text(value: Any, where: str) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        message = f"{where}: a {type(value).__name__} where text is needed"
        raise _invalid("DatasetValueInvalid", message, "choose a column of text or numbers")
    return str(value)


def _messages(value: Any, where: str) -> tuple[Message, ...]:
    turns = list(value) if isinstance(value, Sequence) and not isinstance(value, str) else []
    good = [turn for turn in turns if isinstance(turn, Mapping) and turn.get("role") in SPEAKERS]
    messages = tuple(Message(turn["role"], _text(turn.get("content"), where)) for turn in good)
    if len(messages) < len(turns) or not messages or messages[-1].role != "assistant":
        turn = f"role ({', '.join(SPEAKERS)}) and content"
        message = f"{where}: no conversation of turns with {turn}, the last of them the assistant's"
        raise _invalid("DatasetValueInvalid", message, "mend the row, or give columns prompt, reasoning and answer")
    return messages


def extract_answers(examples: list[Example], pattern: str | None, field: str) -> list[Example]:
    """Replace each answer by the first group of the pattern's first match in it; without a pattern return them all.

    Raises
    ------
    TrainerError
        If the pattern is no regular expression with a group, or does not match in some row.
    """
    if pattern is None:
        return examples
    where = f"{field}.answerPattern {pattern!r}"
    expression = _compile(pattern, where)
    matches = [expression.search(example.answer or "") for example in examples]
    misses = [row for row, match in enumerate(matches, 1) if match is None or not (match[1] or "").strip()]
    if misses:
        first = f"row {misses[0]}: {examples[misses[0] - 1].answer!r:.200}"
        message = f"{where} does not match in {len(misses)} of {len(examples)} rows, first in {first}"
        raise _invalid("AnswerPatternUnmatched", message, "mend the pattern, or remove those rows")
    answers = (match[1].strip() for match in matches if match)
    return [replace(example, answer=answer) for example, answer in zip(examples, answers, strict=True)]


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


def _invalid(reason: str, message: str, hint: str) -> TrainerError:
    return TrainerError(ExitCode.DATA_INVALID, reason, message, hint)
