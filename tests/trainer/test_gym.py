"""reasoning-gym's own scorers, in a real box."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from reasoning_contract.spec import Spec, Unscored
from reasoning_trainer.commands.findings import WRONG
from reasoning_trainer.commands.samples import conversation, samples
from reasoning_trainer.data.examples import Example, Splits
from reasoning_trainer.data.sources import Source
from reasoning_trainer.data.splits import load
from reasoning_trainer.errors import TrainerError
from reasoning_trainer.job import Inputs
from reasoning_trainer.pipeline import _recipe
from reasoning_trainer.rewards import Grader, RewardSet, Surroundings, batch_of, build
from reasoning_trainer.rewards.references import unjudgeable


def spec(task: str = "countdown", **config: Any) -> Spec:
    return Spec.model_validate(
        {
            "model": {"source": "file:///model"},
            "data": {
                "train": {"reasoningGym": {"task": task, "size": 6, "seed": 3, "config": config}},
            },
            "evaluation": {"enabled": False},
            "rewards": [{"name": "right", "builtin": "correctness", "params": {"parser": "reasoningGym"}}],
            "parallelism": {"gpusPerNode": 0},
        }
    )


def rows(given: Spec) -> tuple[Example, ...]:
    found = load(given, Source(Path))
    return found.train


@pytest.fixture(scope="module")
def rewards() -> Iterator[RewardSet]:
    given = spec()
    around = Surroundings(guard=Unscored(action="off"), complain=TOLD.append)
    with build(given.rewards, given.chat_template, around) as rewards:
        rewards.start()
        yield rewards


TOLD: list[str] = []


def scores(rewards: RewardSet, row: Example, *answers: str) -> list[float | None]:
    said = [f"<reasoning>hm</reasoning><answer>{answer}</answer>" for answer in answers]
    return rewards.functions[0].score(batch_of([row] * len(said), ["q"] * len(said), said))


def test_another_way_to_the_number_is_right(rewards: RewardSet) -> None:
    row = rows(spec(min_numbers=3, max_numbers=3))[0]
    terms = (row.answer or "").replace("(", " ").replace(")", " ")
    other = f"0 + ({row.answer})" if "0" in terms.split() else f"({row.answer})"
    assert scores(rewards, row, row.answer or "", other, "1 + 1", "", "what?") == [1.0, 1.0, 0.0, 0.0, 0.0]


def test_answer_that_keeps_its_scorer_busy_is_unscored_alone_and_told(
    rewards: RewardSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reasoning_trainer.rewards.gym.SECONDS", 3.0)
    row = rows(spec())[0]
    begin = time.monotonic()
    assert scores(rewards, row, row.answer or "", "9**9**9**9", "1 + 1") == [1.0, None, 0.0]
    assert time.monotonic() - begin < 60
    assert "right" in TOLD[-1]


def test_answer_that_is_code_meets_the_walls(rewards: RewardSet, tmp_path: Path) -> None:
    row = rows(spec())[0]
    made = tmp_path / "made"
    assert scores(rewards, row, f'__import__("pathlib").Path("{made}").write_text("x")') == [0.0]
    assert not made.exists()


def test_row_that_no_task_made_is_unscored(rewards: RewardSet) -> None:
    assert scores(rewards, Example("q", "7"), "7") == [None]


@pytest.mark.parametrize("task", ["chain_sum", "n_queens", "polynomial_equations", "mini_sudoku"])
def test_rows_are_judged_by_the_task_that_made_them(task: str) -> None:
    given = spec(task)
    found = rows(given)
    assert unjudgeable(given, found) == []
    wrong = samples(given, found, list)[WRONG]
    grader = Grader(given.rewards, given.chat_template)
    assert grader.are_right(conversation(given, found, wrong, None)) == [False] * len(found)
    grader.close()


def test_library_that_cannot_be_loaded_ends_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    given = spec()
    monkeypatch.setattr("reasoning_trainer.rewards.gym.MODULE", "gym_scores_of_another_image")
    with (
        build(given.rewards, given.chat_template) as rewards,
        pytest.raises(TrainerError, match="cannot load") as caught,
    ):
        rewards.start()
    assert caught.value.reason == "RewardNotLoaded"


def test_run_is_known_again_that_began_before_rows_said_where_they_are_from() -> None:
    """Rewards of one's own are handed all columns, so these tell rows apart; this one is no more than their task."""
    document = spec().model_dump(by_alias=True, exclude_none=True)
    given = Spec.model_validate(document | {"rewards": [{"name": "mine", "http": {"url": "http://mine/"}}]})
    found = rows(given)
    without = [replace(row, columns={name: row.columns[name] for name in ("prompt", "answer")}) for row in found]
    attempt: Any = SimpleNamespace(spec=given, inputs=Inputs(None, None))
    assert _recipe(attempt, Splits(found, (), ())) == _recipe(attempt, Splits(tuple(without), (), ()))
    other = (replace(without[0], columns={"prompt": "another"}), *without[1:])
    assert _recipe(attempt, Splits(found, (), ())) != _recipe(attempt, Splits(other, (), ()))
