"""Penalty for long completions."""

from __future__ import annotations

from reasoning_contract.spec import ChatTemplate, RewardParams

from .completion import Sample, SampleScorer


def make(params: RewardParams, template: ChatTemplate) -> SampleScorer:
    """Return the scorer: 0 up to ``targetTokens``, falling to -1 at ``maxTokens`` (twice the target when empty)."""
    if params.target_tokens is None:
        raise ValueError("lengthPenalty needs targetTokens")  # the contract's rules see to it
    target = params.target_tokens
    longest = params.max_tokens or 2 * target

    def score(sample: Sample) -> float | None:
        return None if sample.tokens is None else length_penalty(sample.tokens, target, longest)

    return score


def length_penalty(tokens: int, target: int, longest: int) -> float:
    """Return 0 up to ``target`` tokens, -1 from ``longest`` tokens on, and a straight line between.

    The soft overlong punishment of DAPO: Yu et al. 2025 (arXiv:2503.14476), equation 13.
    """
    return -min(1.0, max(0, tokens - target) / (longest - target))
