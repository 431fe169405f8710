"""What generates beside the model that is trained: an engine with weights of its own, which are handed over to it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from .base import Sampling


@dataclass(frozen=True)
class Drawn:
    """A completion as an engine draws it.

    Attributes
    ----------
    tokens
        Its tokens, the one that ended it included.
    log_probabilities
        That of each token when it was drawn, nats.
    """

    tokens: list[int]
    log_probabilities: list[float]


class Engine(Protocol):
    """Generates with weights that it was handed last."""

    name: str

    def take(self, weights: Iterable[tuple[str, Any]]) -> None:
        """Generate with these weights from now on.

        Parameters
        ----------
        weights
            Name in the model's checkpoint and tensor; each is used before the next is asked for.
        """

    def generate(self, prompts: Sequence[Sequence[int]], sampling: Sampling, stops: Sequence[int]) -> list[list[Drawn]]:
        """Return ``sampling.count`` completions of each prompt of tokens; each ends after a token of `stops`."""

    def rest(self) -> None:
        """Give back what memory it can until it is used again; its weights may be gone with it."""

    def lent(self) -> AbstractContextManager[None]:
        """Have TRL take this engine for the one that it would build in this context."""
