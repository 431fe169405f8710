"""Gives columns their meaning, and takes the answer out of a longer text."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from reasoning_contract.exit_codes import ExitCode
from reasoning_contract.spec import Columns

from ..errors import TrainerError, invalid_data
from .examples import Example, Message
from .files import Record

TEXT_ROLES = ("prompt", "answer", "reasoning", "chosen", "rejected")
SPEAKERS = ("system", "user", "assistant")
COMPLETIONS = ("chosen", "rejected")
UNANSWERED = (
    "; rows without answers need evaluation.enabled: false, and no correctness reward; "
    "pairs, for DPO and ORPO, only that no column of answers is named"
)


def to_examples(records: Sequence[Record], columns: Columns, field: str, required: Sequence[str]) -> list[Example]:
    """Give columns their meaning.

    Parameters
    ----------
    records
        Rows as they were read; at least one.
    columns
        Which column has which role; a role that is left empty takes the column of its own name, if there is one. Where
        the role is not required, such a column may be there for another purpose: what is no text in it is left alone.
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
    asked_for = {*required, *columns.model_dump(exclude_none=True)}

    def example(row: int, record: Record) -> Example:
        where = f"{field}, row {row}, column"
        return Example(
            **{
                role: _value(record.get(name), role, f"{where} {name}", role in required)
                for role, name in names.items()
                if role in asked_for or (role != "messages" and is_text(record.get(name)))
            },
            columns=record,
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
                f"set {field}.columns.{role} to the column that has it{f': {near[0]!r}?' if near else ''}"
                + (UNANSWERED if role == "answer" else ""),
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
                "remove it, or name the column under the role that is read",
            )


def with_prompts(records: list[Record], columns: Columns) -> list[Record]:
    """Return preference rows with the prompt that data sets of conversations write as their completions' first turn.

    Parameters
    ----------
    records
        Rows as they were read.
    columns
        Which column has which role.
    """
    chosen = columns.chosen or "chosen"
    if columns.prompt is not None or any("prompt" in record for record in records):
        return records
    return [record | _first_turn(record.get(chosen)) for record in records]


def _first_turn(completion: Any) -> Record:
    first = completion[0] if isinstance(completion, list) and len(completion) > 1 else None
    asks = isinstance(first, Mapping) and first.get("role") == "user"
    return {"prompt": first.get("content")} if first and asks else {}


def _value(value: Any, role: str, where: str, required: bool) -> Any:
    if value is None or (isinstance(value, str) and not value.strip()):
        if required:
            hint = "fill it in or remove the row; of a Hub data set, put a copy without it on a claim"
            raise invalid_data("DatasetValueMissing", f"{where}: no {role}", hint)
        return None
    if role == "messages":
        return _messages(value, where)
    if isinstance(value, list) and role in ("prompt", *COMPLETIONS):
        return _only_turn(value, role, where)
    return _text(value, where)


def is_text(value: Any) -> bool:
    """Whether a value of a row is text, or a number that stands for its text."""
    return isinstance(value, str | int | float) and not isinstance(value, bool)


def _text(value: Any, where: str) -> str:
    if not is_text(value):
        message = f"{where}: a {type(value).__name__} where text is needed"
        raise invalid_data("DatasetValueInvalid", message, "choose a column of text or numbers")
    return str(value)


def _only_turn(turns: list[Any], role: str, where: str) -> str:
    """Return what is said in a prompt or completion that is written as a conversation of one question."""
    speakers = [turn.get("role") if isinstance(turn, Mapping) else None for turn in turns]
    known = [["user"]] if role == "prompt" else [["assistant"], ["user", "assistant"]]
    if speakers not in known:
        message = f"{where}: turns of {', '.join(map(str, speakers))}, where one question and one answer can be learned"
        hint = "leave such rows out; what a system turn says belongs into chatTemplate.systemPrompt"
        raise invalid_data("DatasetValueInvalid", message, hint)
    return _text(turns[-1].get("content"), where)


def _messages(value: Any, where: str) -> tuple[Message, ...]:
    turns = list(value) if isinstance(value, Sequence) and not isinstance(value, str) else []
    good = [turn for turn in turns if isinstance(turn, Mapping) and turn.get("role") in SPEAKERS]
    if any(turn.get("tool_calls") for turn in good):
        message = f"{where}: a turn calls a tool, and what it calls would not be learned"
        raise invalid_data("DatasetValueInvalid", message, "leave out conversations with tools")
    messages = tuple(Message(turn["role"], _text(turn.get("content"), where)) for turn in good)
    if len(messages) < len(turns) or not messages or messages[-1].role != "assistant":
        turn = f"role ({', '.join(SPEAKERS)}) and content"
        message = f"{where}: no conversation of turns with {turn}, the last of them the assistant's"
        raise invalid_data("DatasetValueInvalid", message, "mend the row, or give columns prompt, reasoning and answer")
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
        raise invalid_data("AnswerPatternUnmatched", message, "mend the pattern, or remove those rows")
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
