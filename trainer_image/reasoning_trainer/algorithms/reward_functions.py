"""The job's rewards as TRL calls them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..data.examples import Example
from ..rewards import RewardFunction, RewardSet, batch_of

ROW = "row"
"""Column of TRL's data set with a row's number. Its other columns stay outside: Arrow would change what they hold."""


def reward_functions(rewards: RewardSet, rows: Sequence[Example]) -> list[Callable[..., list[float | None]]]:
    """Return what TRL takes as ``reward_funcs``.

    Parameters
    ----------
    rewards
        The rewards.
    rows
        The rows, by their number in the column `ROW`.
    """
    return [_as_trl_calls_it(function, rows) for function in rewards.functions]


def _as_trl_calls_it(function: RewardFunction, rows: Sequence[Example]) -> Callable[..., list[float | None]]:
    def score(
        prompts: list[Any], completions: list[Any], completion_ids: list[list[int]], row: list[int], **_: Any
    ) -> list[float | None]:
        return function.score(batch_of([rows[number] for number in row], prompts, completions, completion_ids))

    score.__name__ = function.name
    return score
