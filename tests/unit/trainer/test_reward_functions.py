"""Rewards as TRL calls them."""

from __future__ import annotations

from typing import Any

from reasoning_trainer.algorithms.reward_functions import reward_functions, without_advantage
from reasoning_trainer.data.examples import Example
from reasoning_trainer.rewards import Batch, RewardFunction, RewardSet


class Scorer:
    """Scores by a column, and keeps what it was handed."""

    name = "mine"

    def __init__(self) -> None:
        self.batches: list[Batch] = []

    def start(self) -> None: ...

    def score(self, batch: Batch, deadline: float) -> list[float | None]:
        self.batches.append(batch)
        return list(batch.columns["level"])

    def close(self) -> None: ...


def test_rows_are_found_by_their_number_and_keep_what_arrow_would_change() -> None:
    rows = [Example("q", "1", columns={"level": 1.0, "tests": {"a": 1}}), Example("r", "2", columns={"level": None})]
    scorer = Scorer()
    (function,) = reward_functions(RewardSet((RewardFunction(scorer),)), rows, lambda ids: f"{len(ids)} tokens")
    assert function.__name__ == "mine"
    prompts: list[Any] = [[{"role": "user", "content": "q"}]] * 3
    given = {"prompts": prompts, "completions": ["what TRL made of it"] * 3, "completion_ids": [[1]] * 3}
    assert function(**given, row=[0, 0, 1], trainer_state=None, log_metric=print) == [1.0, 1.0, None]
    (batch,) = scorer.batches
    assert batch.prompts == prompts
    assert batch.completions[0] == [{"role": "assistant", "content": "1 tokens"}]
    assert batch.columns == {
        "level": [1.0, 1.0, None],
        "tests": [{"a": 1}, {"a": 1}, None],
        "answer": ["1", "1", "2"],
    }


def test_unscored_completion_is_neither_rewarded_nor_punished() -> None:
    assert without_advantage([1.0, None, 3.0, None, None], [0, 0, 0, 1, 1]) == [1.0, 2.0, 3.0, None, None]
    assert without_advantage([None, -2.0], [4, 4]) == [-2.0, -2.0]
