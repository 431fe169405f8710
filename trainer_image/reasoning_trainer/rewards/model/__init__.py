"""Rewards that a reward model gives."""

from .files import config_of
from .scorer import ModelScorer

__all__ = ["ModelScorer", "config_of"]
