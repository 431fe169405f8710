"""Reward for the right answer that is worth more the shorter it is, and for a wrong one that is worth less."""

from __future__ import annotations

import math

from reasoning_contract.spec import ChatTemplate, RewardParams

from . import correctness
from .completion import Sample, SampleScorer

RIGHT = (1.0, 0.5)
"""What a right answer is worth at length 0 and at ``maxTokens``."""
WRONG = (-1.0, -0.5)
"""What a wrong one is worth: where the answer is not found yet, to think longer is better."""


def make(params: RewardParams, template: ChatTemplate) -> SampleScorer:
    """Return the scorer, which judges answers as `correctness` does; None where it cannot, or length is not known."""
    if params.max_tokens is None:
        raise ValueError("cosineLength needs maxTokens")  # the contract's rules see to it
    judge, longest = correctness.make(params, template), params.max_tokens

    def score(sample: Sample) -> float | None:
        right = judge(sample)
        return None if right is None or sample.tokens is None else cosine_length(right == 1.0, sample.tokens, longest)

    return score


def cosine_length(right: bool, tokens: int, longest: int) -> float:
    """Return the value at ``tokens`` of half a cosine from its value at 0 to that at ``longest``, and level after it.

    ``end + (begin - end) * (1 + cos(pi * tokens / longest)) / 2``: the cosine reward of Yeo et al. 2025, "Demystifying
    Long Chain-of-Thought Reasoning in LLMs" (arXiv:2502.03373), with the values of huggingface/open-r1.
    """
    begin, end = RIGHT if right else WRONG
    return end + (begin - end) * (1 + math.cos(math.pi * min(tokens / longest, 1.0))) / 2
