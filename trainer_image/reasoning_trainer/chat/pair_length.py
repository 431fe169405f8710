"""How long rows are in tokens."""

from __future__ import annotations

from ..data.examples import Example
from .chat import Chat

ADDED_BY_ORPO = 2
"""Tokens that TRL's ORPO puts around a pair where they are missing: the first and the end token."""


def pair_tokens(chat: Chat, row: Example) -> int:
    """Return the length of the longer completion with its prompt."""
    both = (row.chosen or "", row.rejected or "")
    longest = max(chat.length(chat.continuation(row, each)) for each in both)
    return chat.prompt_length(row) + longest + ADDED_BY_ORPO
