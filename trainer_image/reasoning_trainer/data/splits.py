"""What is learned from and what is held out: every set read, split, limited, and held apart."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Sequence
from typing import TypeAlias, TypeVar

from reasoning_contract.spec import COMPARING, PREFERENCE, Columns, HeldOut, Rows, Spec

from ..errors import TrainerError, invalid_data
from .answers import extract_answers
from .columns import COMPLETIONS, at, to_examples, with_prompts
from .examples import Example, Splits
from .files import Record
from .overlap import normalised, refuse_overlap
from .sources import Source, read
from .values import is_missing, is_text

Item = TypeVar("Item")
One = TypeVar("One")
Other = TypeVar("Other")
Roles: TypeAlias = Callable[[Sequence[Record], Columns], tuple[str, ...]]
"""What every row of a set must have, by the rows and the columns that are named."""


def load(spec: Spec, source: Source) -> Splits:
    """Load, split and check the data of a job.

    Parameters
    ----------
    spec
        The job.
    source
        Where rows are read from.

    Raises
    ------
    TrainerError
        If data cannot be had, is malformed or empty, lacks a column, or if held-out rows are also trained on.
    """
    loader = _Loader(spec, source)
    (train, held_out), warmup = all_of(loader.train_and_held_out, loader.warmup)
    all_of(
        lambda: refuse_overlap(train, held_out, "data.train"),
        lambda: refuse_overlap(warmup, held_out, "data.warmup"),
    )
    refuse_sampling_without_answers(spec, held_out)
    return Splits(tuple(train), tuple(warmup), tuple(held_out), tuple(loader.notes))


def load_train(spec: Spec, source: Source) -> tuple[Example, ...]:
    """Load the rows to train on alone. Parameters and errors as `load`."""
    return tuple(_Loader(spec, source).train_and_held_out()[0])


def load_held_out(spec: Spec, source: Source) -> tuple[Example, ...]:
    """Load the held-out rows alone: whether they are trained on too is not asked. Parameters and errors as `load`."""
    rows = _Loader(spec, source).held_out()
    refuse_sampling_without_answers(spec, rows)
    return tuple(rows)


def refuse_sampling_without_answers(spec: Spec, held_out: Sequence[Example]) -> None:
    """Refuse pass@k on pairs without answers: nothing tells which completion is right.

    Raises
    ------
    TrainerError
        If it is asked for.
    """
    if spec.evaluation.enabled and max(spec.evaluation.pass_at_k) > 1 and not all(row.answer for row in held_out):
        raise invalid_data(
            "AnswersMissing",
            "evaluation.passAtK asks for completions to be judged, and the rows of data.heldOut have no answers",
            "remove it, or name the column with the answers in columns.answer",
        )


class _Loader:
    def __init__(self, spec: Spec, source: Source) -> None:
        self._spec, self._data, self._seed, self._source = spec, spec.data, spec.reinforce.seed, source
        self.notes: list[str] = []

    def train_and_held_out(self) -> tuple[list[Example], list[Example]]:
        wanted = self._data.held_out
        if wanted is None or wanted.fraction is None:
            train, held_out = all_of(self._train, self.held_out)
        else:
            train, share = split_by_hash(self._train(), wanted.fraction)
            not_empty(train, "data.train, without what data.heldOut.fraction holds out,")
            held_out = self._limited(share, wanted)
        return sample(train, self._data.train.limit, self._seed), held_out

    def _train(self) -> list[Example]:
        return self._examples(self._data.train, "data.train", self._train_roles)

    def held_out(self) -> list[Example]:
        wanted = self._data.held_out
        if wanted is None:
            return []
        if wanted.fraction is not None:
            return self.train_and_held_out()[1]
        rows = wanted if wanted.kinds else _other_split(self._data.train, wanted)
        return self._limited(self._examples(rows, "data.heldOut", self._held_out_roles), wanted)

    def _limited(self, rows: list[Example], wanted: HeldOut) -> list[Example]:
        return sample(not_empty(rows, "data.heldOut"), wanted.limit, self._seed)

    def warmup(self) -> list[Example]:
        rows = self._data.warmup
        if rows is None or not self._spec.warms_up:
            return []
        return sample(self._examples(rows, "data.warmup", _warmup_roles), rows.limit, self._seed)

    def _train_roles(self, records: Sequence[Record], columns: Columns) -> tuple[str, ...]:
        """What train must have: DPO and ORPO compare completions, a correctness reward and held-out rows answers."""
        held_out = self._data.held_out
        shared = held_out is not None and held_out.fraction is not None
        evaluated = self._held_out_roles(records, columns) if shared else ("prompt",)
        if self._spec.reinforce.algorithm in PREFERENCE:
            return tuple(dict.fromkeys((*evaluated, *COMPLETIONS)))
        compared = any(reward.builtin in COMPARING for reward in self._spec.rewards)
        return ("prompt", "answer") if compared else evaluated

    def _held_out_roles(self, records: Sequence[Record], columns: Columns) -> tuple[str, ...]:
        """What held-out rows must have: answers to judge by or, for DPO and ORPO where there are none, pairs."""
        if not self._spec.evaluation.enabled:
            return ("prompt",)
        named = columns.answer is not None or columns.answers is not None
        answered = named or any(_has_answer(record) for record in records)
        pairs = self._spec.reinforce.algorithm in PREFERENCE and not answered
        return ("prompt", *COMPLETIONS) if pairs else ("prompt", "answer")

    def _examples(self, rows: Rows | HeldOut, field: str, roles: Roles) -> list[Example]:
        records = not_empty(read(rows, field, self._source), f"{field} ({rows.source})" if rows.source else field)
        required = roles(records, rows.columns)
        if self._spec.reinforce.algorithm in PREFERENCE and field != "data.warmup":
            records = with_prompts(records, rows.columns)
        columns = rows.columns
        if any(row.answers for row in rows.rows or ()):
            columns = columns.model_copy(update={"answers": columns.answers or "answers"})
        examples = to_examples(records, columns, field, required, rows.source)
        read_as, ambiguity = extract_answers(examples, rows.answer_pattern, field)
        unnamed = "" if columns.answers else _several_answers(read_as, field)
        self.notes += filter(None, (ambiguity, _own_system(read_as, field), unnamed))
        return read_as


def all_of(first: Callable[[], One], second: Callable[[], Other]) -> tuple[One, Other]:
    """Return what two sets give; where both are refused for what they hold, with what is wrong in both.

    Raises
    ------
    TrainerError
        With one or both problems.
    """
    try:
        one = first()
    except TrainerError as error:
        if error.exit_code.is_users_fault:
            _raise_with(error, second)
        raise
    return one, second()


def _raise_with(error: TrainerError, second: Callable[[], object]) -> None:
    try:
        second()
    except TrainerError as other:
        if not other.exit_code.is_users_fault:
            return
        hints = dict.fromkeys(filter(None, (error.hint, other.hint)))
        message = f"{error.message}; also: {other.message}"
        raise TrainerError(error.exit_code, error.reason, message, "; ".join(hints)) from error


def _own_system(rows: Sequence[Example], field: str) -> str:
    count = sum(row.system is not None for row in rows)
    told = "have a system text of their own, which stands in the place of chatTemplate.systemPrompt"
    return f"{count} of {len(rows)} rows of {field} {told}" if count else ""


def _several_answers(rows: Sequence[Example], field: str) -> str:
    """Return a sentence on lists of answers that nobody named: they may be what there was to choose from."""
    count = sum(len(row.answers) > 1 for row in rows)
    told = f"have several answers in the column answers, each of which is right: say so by {field}.columns.answers"
    return f"{count} of {len(rows)} rows of {field} {told}" if count else ""


def _has_answer(record: Record) -> bool:
    answer = at(record, "answer")
    return (is_text(answer) and not is_missing(answer)) or bool(at(record, "answers"))


def _other_split(train: Rows, held_out: HeldOut) -> Rows:
    """Return train's data set with the held-out split, columns and pattern where those are given."""
    columns = train.columns.model_copy(update=held_out.columns.model_dump(exclude_none=True))
    changes = {"split": held_out.split, "columns": columns, "limit": None}
    if held_out.answer_pattern is not None:
        changes["answer_pattern"] = held_out.answer_pattern
    return train.model_copy(update=changes)


def _warmup_roles(records: Sequence[Record], columns: Columns) -> tuple[str, ...]:
    """Return what a warm-up row must have: a conversation where one is named, or is there and no column is named."""
    named = columns.model_dump(exclude_none=True)
    conversation = "messages" in named or (not named and any("messages" in record for record in records))
    return ("messages",) if conversation else ("prompt", "reasoning", "answer")


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


def not_empty(rows: list[Item], field: str) -> list[Item]:
    """Return the rows; raise `TrainerError` if there are none."""
    if not rows:
        raise invalid_data("DatasetEmpty", f"{field} has no rows", "check its source and split, or the fraction")
    return rows
