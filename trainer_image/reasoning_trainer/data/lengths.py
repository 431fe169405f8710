"""Leaves out rows that are too long, so that nothing is cut in silence."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from reasoning_contract.exit_codes import ExitCode

from ..errors import TrainerError

Item = TypeVar("Item")
PROMPT, SEQUENCE = "reinforce.maxPromptLength", "model.maxSequenceLength"


def within_length(
    rows: Sequence[Item], count_tokens: Callable[[Item], int], limit: int, what: str, setting: str
) -> tuple[list[Item], str]:
    """Leave out rows of more than ``limit`` tokens.

    Parameters
    ----------
    rows
        Rows; at least one.
    count_tokens
        Length of what is bounded in a row, in tokens, chat template included.
    limit
        Most tokens.
    what
        What is bounded, for messages, such as ``prompts of data.train``.
    setting
        The field of the spec that bounds it.

    Returns
    -------
    tuple
        The rows that are left, and a sentence that says how many were left out; empty if none were.

    Raises
    ------
    TrainerError
        If no row is left.
    """
    lengths = [count_tokens(row) for row in rows]
    kept = [row for row, length in zip(rows, lengths, strict=True) if length <= limit]
    if not kept:
        raise TrainerError(
            ExitCode.DATA_INVALID,
            "PromptsTooLong" if setting == PROMPT else "RowsTooLong",
            f"all {len(lengths)} {what} are longer than {setting} {limit}; the shortest has {min(lengths)} tokens",
            f"raise {setting}" + (f", and {SEQUENCE} with it" if setting == PROMPT else ""),
        )
    left_out = len(lengths) - len(kept)
    return kept, f"{left_out} of {len(lengths)} {what} left out: more than {setting} {limit}" if left_out else ""
