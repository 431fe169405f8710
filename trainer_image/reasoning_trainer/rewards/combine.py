"""Turns the spec's list of rewards into one thing that scores batches, and into the grader of the evaluation."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from types import TracebackType

from reasoning_contract.spec import ChatTemplate, Reward, Unscored

from .batch import Batch, Scorer
from .box import Box
from .format import strict_format, tags_in_order
from .registry import BATCH_SECONDS, make_scorer, seconds_of
from .surroundings import Surroundings

BY_DEFAULT = Reward(name="correctness", builtin="correctness")
"""What answers are judged by where no reward does."""


class RewardFunction:
    """A reward that scores batches in time, and counts what it could not score.

    Attributes
    ----------
    name
        Its name in metrics and messages.
    weight
        What its scores are multiplied with.
    unscored
        How many completions it could not score so far.
    """

    def __init__(self, scorer: Scorer, weight: float = 1.0, seconds: float = BATCH_SECONDS) -> None:
        self.name, self.weight, self.unscored = scorer.name, weight, 0
        self._scorer, self._seconds = scorer, seconds

    def start(self) -> None:
        """Get ready to score; errors as `Scorer.start`."""
        self._scorer.start()

    def score(self, batch: Batch) -> list[float | None]:
        """Score a batch: a finite number a completion; None where it cannot be scored, which `unscored` counts.

        Raises
        ------
        TrainerError
            If the reward cannot score anything any more; built-in ones also if they fail on a completion.
        """
        scores = self._scorer.score(batch, time.monotonic() + self._seconds)
        self.unscored += scores.count(None)
        return scores

    def close(self) -> None:
        """End what it started."""
        self._scorer.close()


@dataclass(frozen=True)
class RewardSet:
    """All rewards of a job, in the spec's order. As a context manager, it is closed at the end."""

    functions: tuple[RewardFunction, ...]
    box: Box | None = None
    """Where code of the user's runs."""

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the rewards."""
        return tuple(function.name for function in self.functions)

    @property
    def weights(self) -> tuple[float, ...]:
        """Their weights."""
        return tuple(function.weight for function in self.functions)

    @property
    def unscored(self) -> dict[str, int]:
        """Completions that could not be scored so far, by reward; rewards that scored all are left out."""
        return {function.name: function.unscored for function in self.functions if function.unscored}

    def start(self) -> None:
        """Load the code of all rewards; errors as `Scorer.start`."""
        for function in self.functions:
            function.start()

    def score(self, batch: Batch) -> dict[str, list[float | None]]:
        """Return the scores of a batch by reward; errors as `RewardFunction.score`."""
        return {function.name: function.score(batch) for function in self.functions}

    def close(self) -> None:
        """End what the rewards started."""
        for function in self.functions:
            function.close()
        if self.box:
            self.box.close()

    def __enter__(self) -> RewardSet:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def build(rewards: Sequence[Reward], template: ChatTemplate, around: Surroundings | None = None) -> RewardSet:
    """Build the rewards of a job. Nothing is started yet.

    Parameters
    ----------
    rewards
        The rewards.
    template
        The job's tags.
    around
        What they need beside their spec.

    Raises
    ------
    TrainerError
        If what one needs is not there, or it is of a kind that this version cannot compute.
    """
    around = around or Surroundings()
    box = around.make_box()
    functions = (
        RewardFunction(make_scorer(reward, template, around, box), reward.weight, seconds_of(reward))
        for reward in rewards
    )
    return RewardSet(tuple(functions), box)


class Grader:
    """Says of held-out completions whether they are right and well formed, by the job's own measure.

    Parameters
    ----------
    rewards
        The job's rewards: answers are compared by the parser of its first correctness reward, else as mathematics.
    template
        The job's tags.
    around
        What the rewards need beside their spec.
    """

    def __init__(self, rewards: Sequence[Reward], template: ChatTemplate, around: Surroundings | None = None) -> None:
        around = around or Surroundings()
        right = next((reward for reward in rewards if reward.builtin == "correctness"), BY_DEFAULT)
        # what it cannot judge is counted by those who ask, and ends no run
        around = replace(around, guard=Unscored(action="off"))
        self._box = around.make_box()
        self._correctness = make_scorer(right, template, around, self._box)
        self._tags = tags_in_order(template)

    def are_right(self, batch: Batch) -> list[bool | None]:
        """Return whether the completions' answers are right; None where the reference cannot be judged."""
        scores = self._correctness.score(batch, math.inf)
        return [None if score is None else score == 1.0 for score in scores]

    def is_well_formed(self, completion: str) -> bool:
        """Return whether reasoning and answer stand in their tags, once each, and nothing else."""
        return strict_format(completion, self._tags)

    def close(self) -> None:
        """End what it started."""
        self._correctness.close()
        self._box.close()
