"""Turns the spec's list of rewards into what TRL calls, and into the grader of the evaluation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from reasoning_contract.exit_codes import ExitCode
from reasoning_contract.spec import ChatTemplate, Reward, RewardParams

from ..errors import TrainerError
from . import correctness
from .completion import Conversation, Sample, Scorer, text_of
from .format import strict_format, tags_in_order
from .registry import make_scorer


class RewardFunction:
    """A reward as TRL calls it: a batch in, a list of numbers or None out.

    Attributes
    ----------
    unscored
        How many completions it could not score so far.
    """

    def __init__(self, name: str, scorer: Scorer) -> None:
        self.__name__ = name
        self.unscored = 0
        self._scorer = scorer

    def __call__(
        self,
        prompts: Sequence[str | Conversation],
        completions: Sequence[str | Conversation],
        completion_ids: Sequence[Sequence[int]] | None = None,
        answer: Sequence[str | None] | None = None,
        **columns: Any,
    ) -> list[float | None]:
        """Score a batch.

        Parameters
        ----------
        prompts, completions
            Texts or conversations, one of each a row.
        completion_ids
            Tokens of the completions; without them their length is not known.
        answer
            Reference answers, from the column of that name.
        columns
            The other columns and what else TRL hands over; not used.

        Returns
        -------
        list of float or None
            A finite number a completion; None where it cannot be scored, which `unscored` counts.

        Raises
        ------
        TrainerError
            If the reward raised an error or returned no finite number, naming reward, row and completion.
        """
        lengths = [None] * len(completions) if completion_ids is None else [len(ids) for ids in completion_ids]
        references = [None] * len(completions) if answer is None else answer
        scores = [
            self._score(row, Sample(text_of(completion), text_of(prompt), length, reference))
            for row, (prompt, completion, length, reference) in enumerate(
                zip(prompts, completions, lengths, references, strict=True)
            )
        ]
        self.unscored += scores.count(None)
        return scores

    def _score(self, row: int, sample: Sample) -> float | None:
        try:
            score = self._scorer(sample)
        except Exception as error:
            raise self._failure(row, sample, f"{type(error).__name__}: {error}") from error
        if score is not None and not math.isfinite(score):
            raise self._failure(row, sample, f"it returned {score}")
        return score

    def _failure(self, row: int, sample: Sample, what: str) -> TrainerError:
        excerpt = sample.text if len(sample.text) <= 200 else f"{sample.text[:200]}..."
        return TrainerError(
            ExitCode.REWARD_FAILED,
            "RewardFunctionError",
            f"reward {self.__name__} failed on row {row} of its batch: {what}; the completion is {excerpt!r}",
            "a reward returns a finite number, or None for a completion that it cannot score",
        )


@dataclass(frozen=True)
class RewardSet:
    """All rewards of a job, in the spec's order."""

    functions: tuple[RewardFunction, ...]
    """What TRL takes as ``reward_funcs``."""
    weights: tuple[float, ...]
    """What TRL takes as ``reward_weights``."""

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the rewards."""
        return tuple(function.__name__ for function in self.functions)

    @property
    def unscored(self) -> dict[str, int]:
        """Completions that could not be scored so far, by reward; rewards that scored all are left out."""
        return {function.__name__: function.unscored for function in self.functions if function.unscored}


def build(rewards: Sequence[Reward], template: ChatTemplate) -> RewardSet:
    """Build the rewards of a job.

    Raises
    ------
    TrainerError
        If one is of a kind that this version cannot compute.
    """
    functions = tuple(RewardFunction(reward.name, make_scorer(reward, template)) for reward in rewards)
    return RewardSet(functions, tuple(reward.weight for reward in rewards))


class Grader:
    """Says of held-out completions whether they are right and well formed, by the job's own measure.

    Parameters
    ----------
    rewards
        The job's rewards: answers are compared by the parser of its first correctness reward, else as mathematics.
    template
        The job's tags.
    """

    def __init__(self, rewards: Sequence[Reward], template: ChatTemplate) -> None:
        params = next((reward.params for reward in rewards if reward.builtin == "correctness"), RewardParams())
        self._correctness = correctness.make(params, template)
        self._tags = tags_in_order(template)

    def is_right(self, completion: str, reference: str) -> bool | None:
        """Return whether the completion's answer is right; None if the reference cannot be judged."""
        score = self._correctness(Sample(completion, reference=reference))
        return None if score is None else score == 1.0

    def is_well_formed(self, completion: str) -> bool:
        """Return whether reasoning and answer stand in their tags, once each, and nothing else."""
        return strict_format(completion, self._tags)
