"""Rewards: what a completion is worth. `build` makes of the list in the spec what scores batches."""

from .batch import Batch, Scorer, batch_of
from .combine import Grader, RewardFunction, RewardSet, build

__all__ = ["Batch", "Grader", "RewardFunction", "RewardSet", "Scorer", "batch_of", "build"]
