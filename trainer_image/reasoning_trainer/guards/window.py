"""The last few of what a guard looks at."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass
class Window(Generic[T]):
    """Keeps the last of what is put into it.

    Parameters
    ----------
    size
        How many are kept.
    """

    size: int
    kept: deque[T] = field(default_factory=deque)

    def put(self, item: T) -> Sequence[T]:
        """Take in one; return what is kept, oldest first."""
        self.kept.append(item)
        while len(self.kept) > self.size:
            self.kept.popleft()
        return tuple(self.kept)

    def fill(self, item: T) -> Sequence[T] | None:
        """Take in one; return what is kept once the window is full."""
        kept = self.put(item)
        return kept if len(kept) == self.size else None


def mean(values: Sequence[float]) -> float | None:
    """Return the mean; None of nothing."""
    return math.fsum(values) / len(values) if values else None
