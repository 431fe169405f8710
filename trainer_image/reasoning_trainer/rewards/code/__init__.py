"""The reward for programs that pass the row's tests. Nothing of a program or a test runs outside a box."""

from .scorer import CodeScorer

__all__ = ["CodeScorer"]
