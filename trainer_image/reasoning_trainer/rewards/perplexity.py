"""Reward for text that the base model, as it was before any training, finds likely."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from statistics import fmean

from .batch import Batch
from .completion import Conversation

Likelihoods = Callable[[Sequence[str | Conversation], Sequence[Sequence[int]]], list[list[float]]]
"""(prompts, completions as tokens) -> the log-probability of each token of each completion, in nats."""
AT_ONCE = 16
"""Completions between two looks at the clock."""


class PerplexityScorer:
    """Reads completions with the frozen base model.

    Parameters
    ----------
    name
        Name of the reward.
    base
        How likely the base model finds completions; None where no model is there, and then nothing is scored.
    """

    def __init__(self, name: str, base: Likelihoods | None) -> None:
        self.name, self._base = name, base

    def start(self) -> None:
        """Do nothing: the model is the job's own, and loaded by others."""

    def score(self, batch: Batch, deadline: float) -> list[float | None]:
        """Return `likeness` of each completion; None for what the deadline leaves over."""
        scores: list[float | None] = [None] * len(batch)
        if self._base is None or batch.completion_ids is None:
            return scores
        ids = batch.completion_ids
        # those of like length together, so that little is padding
        order = sorted(range(len(batch)), key=lambda row: len(ids[row]))
        for start in range(0, len(order), AT_ONCE):
            if time.monotonic() > deadline:
                break
            rows = order[start : start + AT_ONCE]
            found = self._base([batch.prompts[row] for row in rows], [ids[row] for row in rows])
            for row, likelihoods in zip(rows, found, strict=True):
                scores[row] = likeness(likelihoods)
        return scores

    def close(self) -> None:
        """Do nothing: it started nothing."""


def likeness(likelihoods: Sequence[float]) -> float:
    """Return ``exp(mean(log p))`` over a completion's tokens, in [0, 1]: 1 / perplexity; 0 for no tokens.

    The inverse of the perplexity of Jelinek et al. 1977, which is without bounds and would let one strange token
    outweigh a group. It is the geometric mean of the tokens' probabilities.
    """
    return math.exp(fmean(likelihoods)) if likelihoods else 0.0
