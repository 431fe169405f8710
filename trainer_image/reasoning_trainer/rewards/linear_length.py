"""Reward for answers that are short beside the others of their prompt."""

from __future__ import annotations

from collections.abc import Sequence

from reasoning_contract.spec import ChatTemplate, RewardParams

from . import correctness
from .completion import GroupScorer, Sample


def make(params: RewardParams, template: ChatTemplate) -> GroupScorer:
    """Return the scorer, which judges answers as `correctness` does; None where it cannot, or length is not known."""
    judge = correctness.make(params, template)

    def score(group: Sequence[Sample]) -> list[float | None]:
        known = [sample.tokens for sample in group if sample.tokens is not None]
        rights = [judge(sample) for sample in group]
        return [
            None if right is None or sample.tokens is None else linear_length(right == 1.0, sample.tokens, known)
            for sample, right in zip(group, rights, strict=True)
        ]

    return score


def linear_length(right: bool, tokens: int, group: Sequence[int]) -> float:
    """Return a value in [-0.5, 0.5] that falls in a line from the shortest of the group to the longest.

    ``0.5 - (tokens - min) / (max - min)``, of a wrong answer at most 0; 0 for all of a group of one length. The length
    reward of Kimi k1.5 (arXiv:2501.12599, section 2.3.3).

    Parameters
    ----------
    right
        Whether the answer is right.
    tokens
        Length of the completion.
    group
        Lengths of all completions of the prompt.
    """
    shortest, longest = min(group), max(group)
    if shortest == longest:
        return 0.0
    value = 0.5 - (tokens - shortest) / (longest - shortest)
    return value if right else min(0.0, value)
