"""Scores a batch completion by completion, by a function that looks at one."""

from __future__ import annotations

import math
import time
from typing import Protocol, runtime_checkable

from reasoning_contract.exit_codes import ExitCode

from ..errors import TrainerError
from .batch import Batch
from .completion import GroupScorer, Sample, SampleScorer

EXCERPT = 200
"""Characters of a completion that a message shows."""


@runtime_checkable
class Closable(Protocol):
    """What holds something that can be ended."""

    def close(self) -> None:
        """End it."""


class EachSample:
    """The scorer made of a function of one completion.

    Parameters
    ----------
    name
        Name of the reward.
    function
        Scores one completion; it is closed with this scorer if it can be.
    """

    def __init__(self, name: str, function: SampleScorer) -> None:
        self.name, self._function = name, function

    def start(self) -> None:
        """Do nothing: it is ready."""

    def score(self, batch: Batch, deadline: float) -> list[float | None]:
        """Score one after the other; those that the deadline leaves over are None.

        Raises
        ------
        TrainerError
            If the function raises an error or returns no finite number, naming reward, row and completion.
        """
        return [
            self._score(row, sample) if time.monotonic() < deadline else None
            for row, sample in enumerate(batch.samples())
        ]

    def close(self) -> None:
        """Close the function."""
        if isinstance(self._function, Closable):
            self._function.close()

    def _score(self, row: int, sample: Sample) -> float | None:
        try:
            score = self._function(sample)
        except Exception as error:
            raise self._failure(row, sample, f"{type(error).__name__}: {error}") from error
        if score is not None and not math.isfinite(score):
            raise self._failure(row, sample, f"it returned {score}")
        return score

    def _failure(self, row: int, sample: Sample, what: str) -> TrainerError:
        excerpt = sample.text if len(sample.text) <= EXCERPT else f"{sample.text[:EXCERPT]}..."
        return TrainerError(
            ExitCode.REWARD_FAILED,
            "RewardFunctionError",
            f"reward {self.name} failed on row {row} of its batch: {what}; the completion is {excerpt!r}",
            "a reward returns a finite number, or None for a completion that it cannot score",
        )


class EachGroup:
    """The scorer made of a function of all completions of one prompt.

    Parameters
    ----------
    name
        Name of the reward.
    function
        Scores them.
    """

    def __init__(self, name: str, function: GroupScorer) -> None:
        self.name, self._function = name, function

    def start(self) -> None:
        """Do nothing: it is ready."""

    def score(self, batch: Batch, deadline: float) -> list[float | None]:
        """Score one prompt's completions after the other's; those that the deadline leaves over are None."""
        samples = list(batch.samples())
        places: dict[str, list[int]] = {}
        for place, sample in enumerate(samples):
            places.setdefault(sample.prompt, []).append(place)
        scores: list[float | None] = [None] * len(samples)
        for group in places.values():
            if time.monotonic() < deadline:
                for place, score in zip(group, self._function([samples[place] for place in group]), strict=True):
                    scores[place] = score
        return scores

    def close(self) -> None:
        """Do nothing: it started nothing."""
