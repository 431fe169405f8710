"""Where in a written conversation the assistant's last turn begins, so that it alone is learned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile

IGNORED = -100
"""Label of a token that is not learned, in every library."""


@dataclass(frozen=True)
class Parts:
    """How turns open in a template.

    Attributes
    ----------
    instruction
        Text that opens a user's turn.
    response
        Text that the assistant's content follows.
    """

    instruction: str
    response: str


def response_start(prompt: str, whole: str, parts: Parts | None) -> int | None:
    """Return where the assistant's last turn begins in a conversation, in characters.

    Parameters
    ----------
    prompt
        What the model goes on from, as the template writes it.
    whole
        The same conversation with the assistant's last turn.
    parts
        Where they are known, the turn begins after the first response part that follows the last instruction part.
        Else the template must write the prompt as the beginning of the whole, which not every template does.

    Returns
    -------
    int or None
        The place; None if it cannot be told.
    """
    if parts is None:
        return len(prompt) if whole.startswith(prompt) else None
    turn = whole.rfind(parts.instruction)
    response = whole.find(parts.response, turn + len(parts.instruction)) if turn >= 0 else -1
    return response + len(parts.response) if response >= 0 else None


def labels(tokens: Sequence[int], before: Sequence[int]) -> list[int]:
    """Return a label a token: the token itself, or `IGNORED` for what is not learned.

    Parameters
    ----------
    tokens
        A conversation.
    before
        Tokens of the text before the assistant's last turn. A token that reaches from there into the turn is learned.
    """
    known = shared(tokens, before)
    return [IGNORED] * known + list(tokens[known:])


def shared(one: Sequence[object], other: Sequence[object]) -> int:
    """Return how many characters or tokens two texts begin with in common."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))
