"""Finds the rows whose answer no completion can be judged by."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import replace

from reasoning_contract.spec import COMPARING, Spec

from ..data.examples import Example, Splits
from ..data.splits import not_empty
from ..errors import invalid_data
from .batch import batch_of
from .combine import Grader
from .surroundings import Surroundings

STANDS_FOR_NONE = frozenset({"proof", "notfound", "not found", "n/a", "nan", "null", "#n/a"})
"""What data sets write where there is no answer, in lower case."""
PROBE = "0"
"""An answer that is judged like any other: whoever cannot tell whether it is right cannot read the reference."""
SHOWN = 3
"""Rows that a message shows."""


def set_aside(spec: Spec, splits: Splits) -> Splits:
    """Do what ``data.unjudgeable`` asks for with the rows of train and held-out that cannot be judged.

    Parameters
    ----------
    spec
        The job.
    splits
        Its rows.

    Returns
    -------
    Splits
        The rows that stay, with a note where there are such rows.

    Raises
    ------
    TrainerError
        If there are such rows and the data is to be refused for it, or no row is left.
    """
    train, of_train = judgeable(spec, splits.train, "data.train")
    held_out, of_held_out = judgeable(spec, splits.held_out, "data.heldOut")
    notes = (*splits.notes, *filter(None, (of_train, of_held_out)))
    return replace(splits, train=train, held_out=held_out, notes=notes)


def judgeable(spec: Spec, rows: tuple[Example, ...], field: str) -> tuple[tuple[Example, ...], str]:
    """Return the rows of a set that stay, and a sentence on those that cannot be judged. Errors as `set_aside`."""
    if not are_judged(spec, field):
        return rows, ""
    found = unjudgeable(spec, rows)
    if not found:
        return rows, _of_others(never_right(spec, rows), field)
    different = {row.answer: row for row in reversed(found)}.values()
    examples = sorted(different, key=lambda row: row.place.row)[:SHOWN]
    shown = _shown((row, row.answer or "") for row in examples)
    told = f"{len(found)} of {len(rows)} rows of {field} have an answer that no completion can be judged by: {shown}"
    action = spec.data.unjudgeable
    if action == "fail":
        raise invalid_data("AnswersUnjudgeable", told, "mend those rows, or leave them out by data.unjudgeable: drop")
    if action == "count":
        return rows, f"{told}; data.unjudgeable: drop leaves them out"
    left = not_empty(without(rows, found), f"{field}, without what cannot be judged,")
    return tuple(left), f"{told}; they are left out"


def unjudgeable(spec: Spec, rows: Sequence[Example]) -> list[Example]:
    """Return the rows whose answer stands for none, or cannot be judged by the parser that judges completions."""
    answered = [row for row in rows if row.answer]
    right = {id(row) for row, _ in _right_answers(spec, answered)}
    probed = _graded(spec, [(row, PROBE) for row in answered])
    return [
        row
        for row, tells in zip(answered, probed, strict=True)
        if all(map(stands_for_none, row.accepted)) or id(row) not in right or tells is None
    ]


def never_right(spec: Spec, rows: Sequence[Example]) -> list[tuple[Example, str]]:
    """Return the answers of a list of accepted ones that are not right by the parser that judges completions."""
    several = [row for row in rows if len(row.accepted) > 1]
    right = {(id(row), answer) for row, answer in _right_answers(spec, several)}
    return [(row, answer) for row in several for answer in row.accepted if (id(row), answer) not in right]


def with_right_alone(spec: Spec, rows: Sequence[Example]) -> list[Example]:
    """Return rows without those answers of their lists that are never right; one that has no other stays as it is."""
    aside = {(id(row), answer) for row, answer in never_right(spec, rows)}
    right = [tuple(answer for answer in row.accepted if (id(row), answer) not in aside) for row in rows]
    return [
        replace(row, answer=left[0], answers=left) if left and left != row.accepted else row
        for row, left in zip(rows, right, strict=True)
    ]


def _right_answers(spec: Spec, rows: Sequence[Example]) -> list[tuple[Example, str]]:
    """Return the rows' own answers that are right as a completion gives them."""
    own = [(row, answer) for row in rows for answer in row.accepted]
    return [each for each, right in zip(own, _graded(spec, own), strict=True) if right]


def _graded(spec: Spec, answers: Sequence[tuple[Example, str]]) -> list[bool | None]:
    """Return whether answers are right, each for its row; None where the row cannot be judged."""
    tags = spec.chat_template.answer_tags
    texts = [f"{tags.start}{answer}{tags.end}" for _, answer in answers]
    with closing(Grader(spec.rewards, spec.chat_template, Surroundings(box=spec.reward_box))) as grader:
        return grader.are_right(batch_of([row for row, _ in answers], texts, texts))


def _of_others(answers: Sequence[tuple[Example, str]], field: str) -> str:
    if not answers:
        return ""
    told = f"{len(answers)} accepted answers of {field} are right in no completion: {_shown(answers[:SHOWN])}"
    return f"{told}; the row's others are what counts"


def _shown(answers: Iterable[tuple[Example, str]]) -> str:
    return ", ".join(f"row {row.place.row} {answer!r:.60}" for row, answer in answers)


def without(rows: Sequence[Example], aside: Sequence[Example]) -> list[Example]:
    """Return the rows that are not set aside."""
    which = set(map(id, aside))
    return [row for row in rows if id(row) not in which]


def stands_for_none(answer: str) -> bool:
    """Whether a data set writes this where it has no answer."""
    return " ".join(answer.casefold().split()).strip(" .") in STANDS_FOR_NONE


def are_judged(spec: Spec, field: str) -> bool:
    """Whether completions of a set's rows are compared with the rows' answers."""
    if field == "data.heldOut":
        return spec.evaluation.enabled
    return any(reward.builtin in COMPARING for reward in spec.rewards)
