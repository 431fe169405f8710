"""Finds rows whose text would be read as more than text: it holds what ends or begins a turn.

A tokenizer makes the same token of ``<|im_end|>`` in a question as of the one that the chat template writes. No trainer
of TRL and no engine can be told to read it as text, so such rows are refused or left out, for all of them alike.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from reasoning_contract.spec import Spec

from ..data.columns import COMPLETIONS
from ..data.examples import Example, Splits
from ..data.splits import not_empty
from ..errors import invalid_data
from .chat import Chat
from .conversation import opening
from .template import special_tokens

PROBE = "a question"
SIGNS = frozenset("<>[]{}#|")
"""What a mark has one of, beside something else: a template that begins turns with words or one sign alone has none
that text may not hold."""
WORKED = ("reasoning", "answer")
HINT = "mend those rows, or leave them out by data.controlTokens: drop; tags to think in belong into chatTemplate"
SHOWN = 3
"""Rows that a message shows."""


def set_aside(spec: Spec, chat: Chat, splits: Splits) -> tuple[Splits, list[str]]:
    """Do what ``data.controlTokens`` asks for with the rows of every set.

    Parameters
    ----------
    spec
        The job.
    chat
        The tokenizer, with the job's template.
    splits
        The job's rows.

    Returns
    -------
    tuple
        The rows that stay, and a sentence for each set in which some do not.

    Raises
    ------
    TrainerError
        If there are such rows and the data is to be refused for it, or no row is left.
    """
    pairs = spec.prefers
    train, of_train = plain(spec, chat, splits.train, "data.train", pairs=pairs)
    warmup, of_warmup = plain(spec, chat, splits.warmup, "data.warmup", worked=True)
    held_out, of_held_out = plain(spec, chat, splits.held_out, "data.heldOut", pairs=True)
    told = list(filter(None, (of_train, of_warmup, of_held_out)))
    return replace(splits, train=train, warmup=warmup, held_out=held_out), told


def plain(
    spec: Spec, chat: Chat, rows: tuple[Example, ...], field: str, *, pairs: bool = False, worked: bool = False
) -> tuple[tuple[Example, ...], str]:
    """Return the rows of a set that stay, and a sentence on the others; empty if there are none. Errors as `set_aside`.

    Parameters
    ----------
    spec, chat
        As `set_aside`.
    rows
        The rows.
    field
        Their name in the spec.
    pairs
        Whether their two completions are read.
    worked
        Whether their reasoning and answer are learned.
    """
    pattern = control_texts(chat)
    roles = ("prompt", "system", *(COMPLETIONS if pairs else ()), *(WORKED if worked else ()))
    found = [held for row in rows if (held := _held(row, roles, pattern))]
    if not found:
        return rows, ""
    shown = ", ".join(f"row {row.place.row} {role} {mark!r}" for row, role, mark in found[:SHOWN])
    told = f"{len(found)} of {len(rows)} rows of {field} hold what the model reads as a control token: {shown}"
    if spec.data.control_tokens == "fail":
        raise invalid_data("ControlTokens", told, HINT)
    aside = {id(row) for row, _, _ in found}
    left = not_empty([row for row in rows if id(row) not in aside], f"{field}, without rows that hold control tokens,")
    return tuple(left), f"{told}; they are left out"


def control_texts(chat: Chat) -> re.Pattern[str]:
    """Return what no row may hold: special tokens that are no tags, and the text by which the template begins turns."""
    specials = special_tokens(chat.tokenizer)
    tokens = [text for number, text in specials.items() if number in chat.hidden and text.strip()]
    marks = {*tokens, *_marks(chat, list(specials.values()))}
    return re.compile("|".join(map(re.escape, sorted(marks, key=len, reverse=True))) or "(?!)")


def _marks(chat: Chat, specials: Sequence[str]) -> Iterator[str]:
    """Yield what the template writes around a question, where that holds no special token but the first of a text."""
    before, _, after = chat.render(opening(PROBE, "")).rpartition(PROBE)
    for part in (before, after.removesuffix(chat.opened)):
        mark = part.removeprefix(chat.tokenizer.bos_token or "").strip()
        if len(mark) > 1 and SIGNS & set(mark) and not any(token in mark for token in specials):
            yield mark


def _held(row: Example, roles: Sequence[str], pattern: re.Pattern[str]) -> tuple[Example, str, str] | None:
    """Return the first role of a row whose text holds something, and that; None if none does."""
    texts = [(role, getattr(row, role) or "") for role in roles]
    if row.messages is not None:
        texts = [("messages", message.content) for message in row.messages]
    found = ((role, pattern.search(text)) for role, text in texts)
    return next(((row, role, held[0]) for role, held in found if held), None)
