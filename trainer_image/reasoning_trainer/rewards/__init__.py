"""Rewards: what a completion is worth. Each built-in is a file; `build` turns the spec's list into TRL's functions."""

from .combine import Grader, RewardFunction, RewardSet, build

__all__ = ["Grader", "RewardFunction", "RewardSet", "build"]
