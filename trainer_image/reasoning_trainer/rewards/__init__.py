"""Rewards: what a completion is worth. `build` makes of the list in the spec what scores batches."""

from .batch import Batch, Scorer, batch_of
from .combine import Grader, RewardFunction, RewardSet, build
from .python import code_elsewhere
from .surroundings import Surroundings

__all__ = [
    "Batch",
    "Grader",
    "RewardFunction",
    "RewardSet",
    "Scorer",
    "Surroundings",
    "batch_of",
    "build",
    "code_elsewhere",
]
