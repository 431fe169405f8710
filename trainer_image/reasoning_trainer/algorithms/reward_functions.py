"""The job's rewards as TRL calls them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import fmean
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
        scores = function.score(batch_of([rows[number] for number in row], prompts, said, completion_ids))
        return without_advantage(scores, row)

    score.__name__ = function.name
    return score


def without_advantage(scores: Sequence[float | None], groups: Sequence[int]) -> list[float | None]:
    """Give an unscored completion the mean of its group, which is neither reward nor punishment: TRL would add 0.

    Parameters
    ----------
    scores
        Scores of completions; None where one is not scored.
    groups
        The group of each.

    Returns
    -------
    list of float or None
        The scores; None in groups in which none is scored.
    """
    scored: dict[int, list[float]] = {}
    for score, group in zip(scores, groups, strict=True):
        if score is not None:
            scored.setdefault(group, []).append(score)
    means = {group: fmean(found) for group, found in scored.items()}
    return [means.get(group) if score is None else score for score, group in zip(scores, groups, strict=True)]
