"""Rewards: what a completion is worth. Each built-in is a file; `build` makes the spec's list into what scores batches."""

from .batch import Batch, Scorer, batch_of
from .combine import Grader, RewardFunction, RewardSet, build

__all__ = ["Batch", "Grader", "RewardFunction", "RewardSet", "Scorer", "batch_of", "build"]
