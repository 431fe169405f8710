"""Rows by what their columns mean."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

GENERATED = ("prompt", "prompts", "completion", "completions", "completion_ids")
"""Names under which a reward is given what is generated."""


@dataclass(frozen=True)
class Message:
    """A turn of a conversation."""

    role: str
    content: str


@dataclass(frozen=True)
class Place:
    """Where a row stands.

    Attributes
    ----------
    field
        The set, by its name in the spec.
    row
        The row's own number there, from 1.
    source
        What it was read from.
    names
        Columns by role.
    """

    field: str = ""
    row: int = 0
    source: str | None = None
    names: Mapping[str, str] = dataclasses.field(default_factory=dict, compare=False, repr=False)

    def cell(self, role: str) -> str:
        """Return how messages call what the row has in a role."""
        source = f" of {self.source}" if self.source else ""
        return f"{self.field}, row {self.row}, column {self.names.get(role, role)}{source}"


@dataclass(frozen=True)
class Example:
    """A row by what its columns mean; None where it has no such column. See `spec.Columns` for the roles.

    Attributes
    ----------
    answers
        All that are accepted, the answer first, where the row has a list of them.
    columns
        All columns of the row as they were read, those without a role too.
    place
        Where it stands, for messages.
    """

    prompt: str | None = None
    answer: str | None = None
    reasoning: str | None = None
    chosen: str | None = None
    rejected: str | None = None
    messages: tuple[Message, ...] | None = None
    system: str | None = None
    # a run is known again by what its rows look like (`learned`): of a row without a list, as ever
    answers: tuple[str, ...] = field(default=(), repr=False)
    columns: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)
    place: Place = field(default=Place(), compare=False, repr=False)

    @property
    def accepted(self) -> tuple[str, ...]:
        """The answers that are right: one or none, where the row has no list of them."""
        return self.answers or ((self.answer,) if self.answer else ())

    @property
    def told_answer(self) -> str | None:
        """What people are told is right; None where the row has no answer."""
        return " or ".join(self.accepted) or None

    @property
    def by_name(self) -> dict[str, Any]:
        """What a reward is given of this row: its columns by their own names, and what is right by that of its role.

        Prompts and completions are given as they are generated; columns of these names would be in their way.
        """
        given = {name: value for name, value in self.columns.items() if name not in GENERATED}
        return given | {"answer": self.answer} | ({"answers": list(self.answers)} if self.answers else {})

    @property
    def questions(self) -> tuple[str, ...]:
        """What the model is asked in this row: its prompt, or the user's turns."""
        if self.messages is None:
            return (self.prompt or "",)
        return tuple(message.content for message in self.messages if message.role == "user")

    @property
    def is_pair(self) -> bool:
        """Whether there are two completions to compare."""
        return bool(self.chosen and self.rejected)


@dataclass(frozen=True)
class Splits:
    """All rows of a job. No question of ``held_out`` is in one of the others.

    Attributes
    ----------
    notes
        What people should know of how the rows were read.
    """

    train: tuple[Example, ...]
    warmup: tuple[Example, ...]
    held_out: tuple[Example, ...]
    notes: tuple[str, ...] = ()


SHOWN_CHARACTERS = 120
"""How much of a value a line of the log shows."""


def first_row(splits: Splits) -> str:
    """Return a sentence with the first row of data.train as it was read."""
    row = splits.train[0]
    roles = ("system", "prompt", "answer", "reasoning", "chosen", "rejected")
    values = {role: getattr(row, role) for role in roles}
    said = ", ".join(f"{role} {_shortened(value)}" for role, value in values.items() if value)
    return f"data.train, row {row.place.row} as it was read: {said}"


def _shortened(text: str) -> str:
    return repr(text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}...")
