"""The order of the rows, made so that any attempt finds the place where another one stopped."""

from __future__ import annotations

from collections.abc import Iterator, Sized
from functools import lru_cache
from itertools import count

import torch
from torch.utils.data import Sampler
from trl.trainer.utils import RepeatSampler


class ByEpoch(Sampler[int]):
    """TRL's order of prompts, in which every epoch's shuffle follows from seed and epoch alone.

    TRL shuffles with one generator that runs on from epoch to epoch, so that a resumed run would go through the first
    epoch's order once more. The Transformers trainer tells a sampler that has `set_epoch` where it is.
    """

    def __init__(self, inner: RepeatSampler, seed: int) -> None:
        self._inner, self._seed, self._epoch = inner, seed, 0

    def set_epoch(self, epoch: int) -> None:
        """Take the order of an epoch, counted from 0."""
        self._epoch = epoch

    def __iter__(self) -> Iterator[int]:
        self._inner.generator.manual_seed(self._seed + self._epoch)
        return iter(self._inner)

    def __len__(self) -> int:
        return len(self._inner)


class ByStep(Sampler[list[int]]):
    """Batches without end, each of which follows from seed and step alone: shuffled epochs, one after the other.

    A batch may reach over the end of an epoch, so that no row is left out.

    Parameters
    ----------
    rows
        What the batches are drawn from; at least one row.
    batch_size
        Rows a batch.
    seed
        Seed of the shuffles.

    Attributes
    ----------
    start
        Step whose batch comes first, counted from 0.
    """

    def __init__(self, rows: Sized, batch_size: int, seed: int) -> None:
        self._rows, self._batch_size, self._seed = len(rows), batch_size, seed
        self.start = 0

    def __iter__(self) -> Iterator[list[int]]:
        shuffled = lru_cache(maxsize=2)(self._shuffled)
        for step in count(self.start):
            places = range(step * self._batch_size, (step + 1) * self._batch_size)
            yield [shuffled(place // self._rows)[place % self._rows] for place in places]

    def _shuffled(self, epoch: int) -> list[int]:
        generator = torch.Generator().manual_seed(self._seed + epoch)
        order: list[int] = torch.randperm(self._rows, generator=generator).tolist()
        return order
