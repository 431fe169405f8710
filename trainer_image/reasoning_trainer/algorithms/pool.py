"""Which rows are asked in place of others: pure, and the same for seed, step and state, so that a resume agrees."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from random import Random


class Pool:
    """The rows of train, of which some are retired: the model answers them rightly anyway.

    Parameters
    ----------
    rows
        How many there are.
    seed
        Seed of the draws.

    Attributes
    ----------
    retired
        Numbers of the rows that are not asked again.
    """

    def __init__(self, rows: int, seed: int) -> None:
        self._rows, self._seed = rows, seed
        self.retired: set[int] = set()

    def others(self, step: int, taken: Collection[int]) -> Iterator[int]:
        """Yield rows that are neither taken nor retired, each once, in an order that follows from seed and step.

        Parameters
        ----------
        step
            Step that the completions are for.
        taken
            Rows that are asked in it already.
        """
        kept_out = {*taken, *self.retired}
        order = list(range(self._rows))
        Random(f"{self._seed}:{step}").shuffle(order)
        return (row for row in order if row not in kept_out)
