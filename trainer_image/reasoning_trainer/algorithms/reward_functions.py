"""The job's rewards as TRL calls them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..data.examples import Example
from ..rewards import RewardFunction, RewardSet, batch_of

ROW = "row"
"""Column of TRL's data set with a row's number. Its other columns stay outside: Arrow would change what they hold."""


Text = Callable[[Sequence[int]], str]


def reward_functions(
    rewards: RewardSet, rows: Sequence[Example], text: Text
) -> list[Callable[..., list[float | None]]]:
    """Return what TRL takes as ``reward_funcs``.

    Parameters
    ----------
    rewards
        The rewards.
    rows
        The rows, by their number in the column `ROW`.
    text
        What tokens say: TRL itself leaves out tags that are special tokens, and what the prompt has opened.
    """
    return [_as_trl_calls_it(function, rows, text) for function in rewards.functions]


def _as_trl_calls_it(
    function: RewardFunction, rows: Sequence[Example], text: Text
) -> Callable[..., list[float | None]]:
    def score(prompts: list[Any], completion_ids: list[list[int]], row: list[int], **_: Any) -> list[float | None]:
        said = [[{"role": "assistant", "content": text(ids)}] for ids in completion_ids]
        return function.score(batch_of([rows[number] for number in row], prompts, said, completion_ids))

    score.__name__ = function.name
    return score
