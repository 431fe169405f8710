"""Penalty for passages that are repeated."""

from __future__ import annotations

from reasoning_contract.spec import ChatTemplate, RewardParams

from .completion import SampleScorer
from .fluency import distinctness

DEFAULT_NGRAM = 3
"""That of huggingface/open-r1; Yeo et al. take 40."""


def make(params: RewardParams, template: ChatTemplate) -> SampleScorer:
    """Return the scorer for passages of ``params.ngram`` words."""
    ngram = params.ngram or DEFAULT_NGRAM
    return lambda sample: repetition(sample.text, ngram)


def repetition(text: str, ngram: int = DEFAULT_NGRAM) -> float:
    """Return minus the share of n-grams of words that are repeats, in [-1, 0]; 0 for a text too short to have any.

    ``|distinct n-grams| / |n-grams| - 1``: the repetition penalty of Yeo et al. 2025 (arXiv:2502.03373).
    """
    return distinctness(text, ngram) - 1.0
