"""Gives columns their meaning."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext, suppress
from typing import Any

from reasoning_contract.spec import Columns

from ..errors import TrainerError, invalid_data
from .examples import Example, Place
from .files import Record
from .values import is_missing, is_text, list_of, missing, only, only_turn, text_of, turns_of

ACCEPTED = "answers"
"""The role of a list of answers, each of which is right."""
TEXT_ROLES = ("prompt", "answer", "reasoning", "chosen", "rejected", "system")
COMPLETIONS = ("chosen", "rejected")
UNANSWERED = (
    "rows without answers need evaluation.enabled: false, and no correctness reward; "
    "pairs, for DPO and ORPO, only that no column of answers is named"
)
ALSO_CALLED = {
    "prompt": ("question", "problem", "instruction", "query", "input"),
    "answer": ("ground_truth", "final_answer", "expected_answer", "target", "solution"),
    "reasoning": ("solution", "rationale", "cot", "thinking", "generations"),
    "messages": ("conversations", "conversation"),
}
"""Names that data sets have for a role, the likeliest first: what a hint proposes, never what is taken unasked."""
TRANSCRIPT = "\n\nHuman:"
"""How a completion begins in which the whole conversation is written as one text, as in HH-RLHF."""


def to_examples(
    records: Sequence[Record], columns: Columns, field: str, required: Sequence[str], source: str | None = None
) -> list[Example]:
    """Give columns their meaning.

    Parameters
    ----------
    records
        Rows as they were read; at least one.
    columns
        Which column, or which path into one, has which role; a role that is left empty takes the column of its own
        name, if there is one. Where the role is not required, such a column may be there for another purpose: what is
        no text in it is left alone.
    field
        Name of the set in the spec, for messages.
    required
        Roles that every row must have.
    source
        Where the rows were read from, for messages.

    Raises
    ------
    TrainerError
        If columns that are named or required do not exist, or a value is missing or cannot be used; with the first row
        of each kind, and how many there are.
    """
    names = _columns_by_role(columns, records, field, required)
    asked_for = {*required, *columns.model_dump(exclude_none=True)}
    pairs = set(COMPLETIONS) <= asked_for
    must = set(required) - ({"answer"} if ACCEPTED in names else set())
    cells = {"answer": names[ACCEPTED]} | names if ACCEPTED in names else names

    def example(row: int, record: Record) -> Example:
        place = Place(field, row, source, cells)
        values: dict[str, Any] = {}
        before: dict[str, str | None] = {}
        for role, name in names.items():
            cell = at(record, name)
            if role == ACCEPTED:
                wanted = role in asked_for or "answer" in required
                with nullcontext() if wanted else suppress(TrainerError):  # it may hold something else
                    values |= _accepted(cell, values.get("answer"), place.cell(role), "answer" in required)
            elif role in asked_for or (role != "messages" and is_text(cell)):
                before[role], values[role] = _value(cell, role, place.cell(role), role in must)
        values["system"] = values.get("system") or before.pop("prompt", None)
        if pairs:
            _refuse_other_questions(values.get("prompt") or "", before, place)
        return Example(**values, columns=record, place=place)

    examples, refused = [], []
    for row, record in enumerate(records, 1):
        try:
            examples.append(example(row, record))
        except TrainerError as error:
            refused.append(error)
    if refused:
        raise _all_of(refused)
    return examples


def _all_of(refused: Sequence[TrainerError]) -> TrainerError:
    """Return one error of those of single rows: the first of each reason, with how many more rows it is that of."""
    first: dict[str, TrainerError] = {}
    for error in refused:
        first.setdefault(error.reason, error)
    counts = Counter(error.reason for error in refused)
    told = [f"{error.message}{_more(counts[reason] - 1)}" for reason, error in first.items()]
    hints = dict.fromkeys(error.hint for error in first.values())
    return invalid_data(refused[0].reason, "; also: ".join(told), "; ".join(hints))


def _more(rows: int) -> str:
    return f" (and {rows} more row{'s' * (rows > 1)} like it)" if rows else ""


def at(record: Any, path: str) -> Any:
    """Return the value of a column, or of what a dotted path leads to within one; None if there is none."""
    if isinstance(record, Mapping):
        if path in record:
            return record[path]
        name, dot, rest = path.partition(".")
        return at(record.get(name), rest) if dot else None
    number, dot, rest = path.partition(".")
    if not isinstance(record, list) or not number.isdecimal() or int(number) >= len(record):
        return None
    return at(record[int(number)], rest) if dot else record[int(number)]


def _paths(records: Sequence[Record]) -> list[str]:
    """Return all columns; of those that hold objects, the paths of what is in these."""
    return list(dict.fromkeys(path for record in records for path in _paths_of(record)))


def _paths_of(record: Mapping[str, Any]) -> Iterator[str]:
    for name, value in record.items():
        if isinstance(value, Mapping) and value:
            yield from (f"{name}.{inner}" for inner in _paths_of(value))
        else:
            yield name


def _columns_by_role(
    columns: Columns, records: Sequence[Record], field: str, required: Sequence[str]
) -> dict[str, str]:
    given = columns.model_dump(exclude_none=True)
    wanted = {role: given.get(role, role) for role in (*TEXT_ROLES, ACCEPTED, "messages")}
    names = {role: name for role, name in wanted.items() if _is_there(name, records)}
    if "answer" in names and ACCEPTED not in given:
        names.pop(ACCEPTED, None)  # it may hold what there is to choose from
    lacking = [role for role in wanted if role not in names and (role in given or role in required)]
    if ACCEPTED in names and "answer" not in given:
        lacking = [role for role in lacking if role != "answer"]
    if lacking:
        used = {name for role, name in names.items() if role in given or role in required}
        raise _columns_missing({role: wanted[role] for role in lacking}, used, records, field)
    twice = [role for role in names if names[role] == names.get("prompt") and (role in given or role in required)]
    if len(twice) > 1:
        both = " and ".join(f"{field}.columns.{role}" for role in twice)
        what = f"{both} both name {names['prompt']!r}: the question would be its own answer"
        raise invalid_data("DatasetColumnTwice", what, "name for each the column that has it")
    return names


def _is_there(name: str, records: Sequence[Record]) -> bool:
    return any(name in record for record in records) or any(at(record, name) is not None for record in records)


def _columns_missing(lacking: Mapping[str, str], used: set[str], records: Sequence[Record], field: str) -> TrainerError:
    there = _paths(records)
    free = [name for name in there if name not in used]
    absent = "; ".join(f"{field}.columns.{role}: there is no column {name!r}" for role, name in lacking.items())
    hints = []
    for role, name in lacking.items():
        near = _near(role, name, free)
        free = [other for other in free if other != near]
        hints.append(f"set {field}.columns.{role} to the column that has it{f': {near!r}?' if near else ''}")
    hints += [UNANSWERED] if "answer" in lacking else []
    hints += [_transcripts(records)] if "prompt" in lacking else []
    message = f"{absent}; there are {', '.join(map(repr, there))}"
    return invalid_data("DatasetColumnMissing", message, "; ".join(filter(None, hints)))


def _near(role: str, name: str, free: Sequence[str]) -> str | None:
    """Return the column that is likely meant: one that is spelt alike, or that data sets have for the role."""
    last = {other: other.rpartition(".")[2].casefold() for other in free}
    if name != role:
        alike = difflib.get_close_matches(name, free, n=1, cutoff=0.5)
        if alike:
            return alike[0]
    for called in (role, *ALSO_CALLED.get(role, ())):
        if found := next((other for other in free if last[other] == called), None):
            return found
    return next(iter(difflib.get_close_matches(name, free, n=1, cutoff=0.5)), None)


def _transcripts(records: Sequence[Record]) -> str:
    texts = (record.get("chosen") for record in records)
    if not any(isinstance(text, str) and text.startswith(TRANSCRIPT) for text in texts):
        return ""
    return "a whole conversation stands in chosen as one text: split each row into prompt, chosen and rejected"


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
    return [record | _first_turn(at(record, chosen)) for record in records]


def _first_turn(completion: Any) -> Record:
    first = completion[0] if isinstance(completion, list) and len(completion) > 1 else None
    asks = isinstance(first, Mapping) and first.get("role") == "user"
    return {"prompt": first.get("content")} if first and asks else {}


def _refuse_other_questions(prompt: str, asked: Mapping[str, str | None], place: Place) -> None:
    """Refuse a pair whose completions answer different questions; one that says none answers the row's prompt."""
    questions = {role: asked.get(role) or prompt for role in COMPLETIONS}
    chosen, rejected = questions.values()
    if any(asked.values()) and chosen.split() != rejected.split():
        raise invalid_data(
            "PairQuestionsDiffer",
            f"{place.cell('rejected')}: it answers {rejected!r:.100}, and what is chosen answers {chosen!r:.100}",
            "give pairs of completions of the same question; leave such rows out",
        )


def _value(value: Any, role: str, where: str, required: bool) -> tuple[str | None, Any]:
    """Return what stands before a value in its own cell, and the value."""
    if isinstance(value, list) and role in ("prompt", *COMPLETIONS):
        return only_turn(value, role, where) if value else _nothing(role, where, required)
    if role == "messages" and not is_missing(value):
        return None, _conversation(value, where)
    value = only(value)
    return _nothing(role, where, required) if is_missing(value) else (None, text_of(value, where))


def _accepted(value: Any, answer: str | None, where: str, required: bool) -> dict[str, Any]:
    """Return the answers that are accepted, and the one that stands for them."""
    cells = [] if is_missing(value) else list_of(value, where)
    texts = [text_of(each, where) for each in cells if not is_missing(each)]
    accepted = tuple(dict.fromkeys([*([answer] if answer else []), *texts]))
    if not accepted:
        _nothing(ACCEPTED, where, required)
        return {}
    return {"answer": accepted[0], ACCEPTED: accepted}


def _nothing(role: str, where: str, required: bool) -> tuple[None, None]:
    if required:
        raise missing(where, role)
    return None, None


def _conversation(value: Any, where: str) -> Any:
    turns = turns_of(value, where)
    if not turns or turns[-1].role != "assistant":
        what = "no conversation whose last turn is the assistant's"
        hint = "mend the row, or give columns prompt, reasoning and answer"
        raise invalid_data("DatasetValueInvalid", f"{where}: {what}", hint)
    return turns
