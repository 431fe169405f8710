"""What is learned from and what is held out: rows with named columns, split, limited, and held apart."""

from __future__ import annotations

import difflib
import hashlib
import random
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from reasoning_contract.outcome import ExitCode
from reasoning_contract.spec import PREFERENCE, Columns, HeldOut, Rows, Spec

from .errors import TrainerError
from .sources import Locate, Record, read

TEXT_ROLES = ("prompt", "answer", "reasoning", "chosen", "rejected")
SPEAKERS = ("system", "user", "assistant")
SHOWN = 3
"""Examples that an error message shows."""
Item = TypeVar("Item")


@dataclass(frozen=True)
class Message:
    """A turn of a conversation."""

    role: str
    content: str


@dataclass(frozen=True)
class Example:
    """A row by what its columns mean; None where it has no such column. See `spec.Columns` for the roles."""

    prompt: str | None = None
    answer: str | None = None
    reasoning: str | None = None
    chosen: str | None = None
    rejected: str | None = None
    messages: tuple[Message, ...] | None = None

    @property
    def questions(self) -> tuple[str, ...]:
        """What the model is asked in this row: its prompt, or the user's turns."""
        if self.messages is None:
            return (self.prompt or "",)
        return tuple(message.content for message in self.messages if message.role == "user")


@dataclass(frozen=True)
class Splits:
    """All rows of a job. No question of ``held_out`` is in one of the others."""

    train: tuple[Example, ...]
    warmup: tuple[Example, ...]
    held_out: tuple[Example, ...]


def load(spec: Spec, locate: Locate, token: str | None = None) -> Splits:
    """Load, split and check the data of a job.

    Parameters
    ----------
    spec
        The job.
    locate
        Finds files of claims, ConfigMaps and the image.
    token
        Hub token for private data sets.

    Raises
    ------
    TrainerError
        If data cannot be had, is malformed or empty, lacks a column, or if held-out rows are also trained on.
    """
    loader = _Loader(spec, locate, token)
    train, held_out = loader.train_and_held_out()
    warmup = loader.warmup()
    for field, rows in (("data.train", train), ("data.warmup", warmup)):
        refuse_overlap(rows, held_out, field)
    return Splits(tuple(train), tuple(warmup), tuple(held_out))


def load_held_out(spec: Spec, locate: Locate, token: str | None = None) -> tuple[Example, ...]:
    """Load the held-out rows alone: whether they are trained on too is not asked. Parameters and errors as `load`."""
    return tuple(_Loader(spec, locate, token).held_out())


class _Loader:
    def __init__(self, spec: Spec, locate: Locate, token: str | None) -> None:
        self._spec, self._data, self._seed = spec, spec.data, spec.reinforce.seed
        self._locate, self._token = locate, token

    def train_and_held_out(self) -> tuple[list[Example], list[Example]]:
        train = self._examples(self._data.train, "data.train", self._train_roles())
        wanted = self._data.held_out
        if wanted is None or wanted.fraction is None:
            held_out = self.held_out()
        else:
            train, share = split_by_hash(train, wanted.fraction)
            not_empty(train, "data.train, without what data.heldOut.fraction holds out,")
            held_out = self._limited(share, wanted)
        return sample(train, self._data.train.limit, self._seed), held_out

    def held_out(self) -> list[Example]:
        wanted = self._data.held_out
        if wanted is None:
            return []
        if wanted.fraction is not None:
            return self.train_and_held_out()[1]
        rows = wanted if wanted.kinds else _other_split(self._data.train, wanted)
        return self._limited(self._examples(rows, "data.heldOut", self._held_out_roles()), wanted)

    def _limited(self, rows: list[Example], wanted: HeldOut) -> list[Example]:
        return sample(not_empty(rows, "data.heldOut"), wanted.limit, self._seed)

    def warmup(self) -> list[Example]:
        rows = self._data.warmup
        if rows is None or self._spec.warmup.skip:
            return []
        return sample(self._examples(rows, "data.warmup", None), rows.limit, self._seed)

    def _train_roles(self) -> tuple[str, ...]:
        """What train must have: DPO and ORPO compare completions, a correctness reward and held-out rows answers."""
        if self._spec.reinforce.algorithm in PREFERENCE:
            return ("prompt", "chosen", "rejected")
        compared = any(reward.builtin == "correctness" for reward in self._spec.rewards)
        held_out = self._data.held_out
        shared = held_out is not None and held_out.fraction is not None
        return ("prompt", "answer") if compared else self._held_out_roles() if shared else ("prompt",)

    def _held_out_roles(self) -> tuple[str, ...]:
        return ("prompt", "answer") if self._spec.evaluation.enabled else ("prompt",)

    def _examples(self, rows: Rows | HeldOut, field: str, required: Sequence[str] | None) -> list[Example]:
        records = not_empty(read(rows, field, self._locate, self._token), field)
        examples = to_examples(records, rows.columns, field, required or _warmup_roles(records, rows.columns))
        return extract_answers(examples, rows.answer_pattern, field)


def _other_split(train: Rows, held_out: HeldOut) -> Rows:
    """Return train's data set with the held-out split, columns and pattern where those are given."""
    columns = train.columns.model_copy(update=held_out.columns.model_dump(exclude_none=True))
    changes = {"split": held_out.split, "columns": columns, "limit": None}
    if held_out.answer_pattern is not None:
        changes["answer_pattern"] = held_out.answer_pattern
    return train.model_copy(update=changes)


def _warmup_roles(records: Sequence[Record], columns: Columns) -> tuple[str, ...]:
    conversation = columns.messages is not None or any("messages" in record for record in records)
    return ("messages",) if conversation else ("prompt", "reasoning", "answer")


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


def _value(value: Any, role: str, where: str, required: bool) -> Any:
    if value is None or value == "":
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
    misses = [row for row, match in enumerate(matches, 1) if match is None or match[1] is None]
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


def sample(examples: list[Example], limit: int | None, seed: int) -> list[Example]:
    """Return ``limit`` of the rows, chosen by the seed, in their order; all if there are no more or no limit."""
    if limit is None or limit >= len(examples):
        return examples
    chosen = random.Random(seed).sample(range(len(examples)), limit)
    return [examples[index] for index in sorted(chosen)]


def split_by_hash(examples: list[Example], fraction: float) -> tuple[list[Example], list[Example]]:
    """Split into rows to train on and rows to hold out.

    A row is held out if the hash of its question, as a number in [0, 1), is less than ``fraction``. So the share is
    only near ``fraction``, but a row's side depends on nothing but its question: it stays when rows are added or the
    seed changes, and questions that differ by case, spaces or punctuation go to the same side.
    """
    train: list[Example] = []
    held_out: list[Example] = []
    for example in examples:
        (held_out if _hash(example) < fraction else train).append(example)
    return train, held_out


def _hash(example: Example) -> float:
    question = "\n".join(normalised(question) for question in example.questions)
    return int.from_bytes(hashlib.sha256(question.encode()).digest()[:8]) / 2**64


def normalised(question: str) -> str:
    """Return a question without case, spare white space, and the quotes and sentence marks around its words.

    Marks within words and all other signs stay: ``2+3``, ``2-3``, ``1.5`` and ``(2+3)*4`` are different questions.
    """
    words = unicodedata.normalize("NFC", question).casefold().split()
    bare = (word.lstrip("\"'“”‘’«»¿¡").rstrip(".,;:!?…\"'“”‘’«»。，？！") for word in words)
    return " ".join(word for word in bare if word)


def refuse_overlap(trained_on: Sequence[Example], held_out: Sequence[Example], field: str) -> None:
    """Refuse held-out rows whose question is trained on: their score would measure memory.

    Raises
    ------
    TrainerError
        With the counts, word for word and `normalised`, and examples.
    """
    exact = {question for example in trained_on for question in example.questions}
    near = {normalised(question) for question in exact}
    questions = ["\n".join(example.questions) for example in held_out]
    found = [question for question in questions if question in exact or normalised(question) in near]
    if not found:
        return
    same = sum(question in exact for question in found)
    shown = "; ".join(repr(question)[:120] for question in found[:SHOWN])
    raise TrainerError(
        ExitCode.DATA_INVALID,
        "HeldOutOverlap",
        f"{len(found)} of {len(held_out)} rows of data.heldOut are also in {field} ({same} word for word, "
        f"{len(found) - same} but for case, spaces and punctuation): {shown}",
        f"remove them from {field}, or use data.heldOut.fraction, which holds rows of train out"
        if field == "data.train"
        else f"remove them from {field}, or hold out other rows",
    )


def not_empty(rows: list[Item], field: str) -> list[Item]:
    """Return the rows; raise `TrainerError` if there are none."""
    if not rows:
        raise _invalid("DatasetEmpty", f"{field} has no rows", "check its source and split, or the fraction")
    return rows


def _invalid(reason: str, message: str, hint: str) -> TrainerError:
    return TrainerError(ExitCode.DATA_INVALID, reason, message, hint)
