"""Completions whose worth is known before any model has written one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from reasoning_contract.spec import Spec

from ..chat.chat import Chat
from ..chat.conversation import asked, worked_answer
from ..data.examples import Example
from ..rewards import Batch, batch_of
from .findings import EMPTY, LONG, OTHER, WORKED, WRONG

NO_REASONING = "..."
"""Stands for the reasoning of a row that has none."""
Tokens = Callable[[str], Sequence[int]]


def samples(spec: Spec, rows: Sequence[Example], parts: Callable[[str], Sequence[object]]) -> dict[str, list[str]]:
    """Return completions of every row by kind; where rows have no answers only the empty text.

    Parameters
    ----------
    spec
        The job.
    rows
        The rows.
    parts
        What the length of a text is counted in.
    """
    found = {}
    if all(row.answer for row in rows):
        right = [worked(spec, row) for row in rows]
        found[WORKED] = right
        if any(len(row.accepted) > 1 for row in rows):
            found[OTHER] = [worked(spec, replace(row, answer=row.accepted[-1])) for row in rows]
        answers = list(dict.fromkeys(row.answer for row in rows))
        others = [next((other for other in answers if other not in row.accepted), None) for row in rows]
        if all(others):
            found[WRONG] = [worked(spec, replace(row, answer=other)) for row, other in zip(rows, others, strict=True)]
        longest = spec.reinforce.max_completion_length
        # repeated until it is as long as a completion may be
        found[LONG] = [text * (1 + longest // max(len(parts(text)), 1)) for text in right]
    return found | {EMPTY: [""] * len(rows)}


def worked(spec: Spec, row: Example) -> str:
    """Return the row's answer as a model should give it."""
    return worked_answer(replace(row, reasoning=row.reasoning or NO_REASONING), spec.chat_template)


def as_said(spec: Spec, rows: Sequence[Example], texts: Sequence[str], chat: Chat | None) -> Batch:
    """Return the batch as a run has it whose model says these texts; as `conversation` where no model is known."""
    if chat is None:
        return conversation(spec, rows, texts, None)
    ids = [
        chat.tokens(chat.continuation(row, text) if text else chat.turn_end)
        for row, text in zip(rows, texts, strict=True)
    ]
    said = [[{"role": "assistant", "content": chat.text(each)}] for each in ids]
    return batch_of(rows, [chat.asked(row) for row in rows], said, ids)


def conversation(spec: Spec, rows: Sequence[Example], texts: Sequence[str], tokens: Tokens | None) -> Batch:
    """Return the batch of completions, one of each row, in the form that the training has them in."""
    prompts = [asked(row, spec.chat_template) for row in rows]
    completions = [[{"role": "assistant", "content": text}] for text in texts]
    return batch_of(rows, prompts, completions, [tokens(text) for text in texts] if tokens else None)
