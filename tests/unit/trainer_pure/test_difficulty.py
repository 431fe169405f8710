"""What is counted of the completions before RL, which rows RL then asks, and what is said of it."""

from __future__ import annotations

from typing import Any

import pytest

from reasoning_contract.spec import Difficulty
from reasoning_trainer.evaluation.difficulty import (
    Tally,
    histogram,
    judge_difficulty,
    mean_share,
    measured_rows,
    nothing_left,
    told,
)


def tallies(*right: int, of: int = 8, cut: int = 0) -> list[Tally]:
    return [Tally(row, count, of, cut) for row, count in enumerate(right)]


def settings(**given: Any) -> Difficulty:
    return Difficulty.model_validate(given)


def test_rows_are_counted_by_the_share_that_was_right() -> None:
    found = histogram([*tallies(0, 0, 1, 2, 3, 4, 5, 6, 7, 8), Tally(10, 0, 0)])
    assert found == {"never": 2, "0-25%": 1, "25-50%": 2, "50-75%": 2, "75-100%": 2, "always": 1}
    assert mean_share([*tallies(0, 4, 8), Tally(3, 0, 0)]) == 0.5
    assert mean_share([Tally(0, 0, 0)]) is None


@pytest.mark.parametrize(
    ("given", "asked"),
    [
        ({}, [0, 1, 2, 3, 4]),
        ({"min": 0.05}, [1, 2, 3, 4]),
        ({"max": 0.95}, [0, 1, 2, 4]),
        ({"min": 0.05, "max": 0.95}, [1, 2, 4]),
        ({"min": 0.125, "max": 0.125}, [1, 4]),
        ({"min": 0.0, "max": 1.0}, [0, 1, 2, 3, 4]),
        ({"min": 1.0}, [3, 4]),
        ({"max": 0.0}, [0, 4]),
    ],
)
def test_rows_beyond_the_bounds_are_not_asked_and_those_that_cannot_be_judged_are(
    given: dict[str, Any], asked: list[int]
) -> None:
    rows = [*tallies(0, 1, 4, 8), Tally(4, 0, 0)]
    assert [tally.row for tally in rows if tally.is_within(settings(**given))] == asked


def test_a_bound_that_binary_fractions_miss_is_met() -> None:
    assert Tally(0, 3, 10).is_within(settings(min=0.1 + 0.2, samples=10))
    assert Tally(0, 7, 10).is_within(settings(max=1 - 0.3, samples=10))


def test_measured_rows_follow_from_the_seed_and_are_no_more_than_there_are() -> None:
    chosen = measured_rows(1000, settings(rows=20), 1)
    assert chosen == measured_rows(1000, settings(rows=20), 1)
    assert chosen != measured_rows(1000, settings(rows=20), 2)
    assert len(set(chosen)) == 20
    assert chosen == sorted(chosen)
    assert measured_rows(3, settings(rows=20), 1) == [0, 1, 2]


@pytest.mark.parametrize(
    ("rows", "given", "reason", "advice"),
    [
        (tallies(*[0] * 9, 4), {}, "RowsTooHard", "data.warmup"),
        (tallies(*[0] * 9, 4, cut=5), {}, "RowsTooHard", "raise reinforce.maxCompletionLength"),
        (tallies(*[8] * 9, 4), {}, "RowsTooEasy", "data.difficulty.max"),
        (tallies(*[8] * 5, *[0] * 4, 4), {}, "RowsAllOrNothing", "data.difficulty.min and max"),
        (tallies(0), {}, "RowsTooHard", "give easier rows"),
        (tallies(*[0] * 3), {"min": 0.1}, "RowsTooHard", "give easier rows"),  # all were set aside
        ([Tally(0, 0, 0)], {}, "RowsUnjudged", "data.unjudgeable"),
    ],
)
def test_rows_that_teach_nothing_are_told_with_what_to_do(
    rows: list[Tally], given: dict[str, Any], reason: str, advice: str
) -> None:
    verdict = judge_difficulty(rows, settings(**given))
    assert verdict.problem is not None
    assert (verdict.problem.reason, verdict.action) == (reason, "warn")
    assert advice in verdict.problem.hint
    assert told(rows) in verdict.message
    verdict.raise_if_failed()


@pytest.mark.parametrize(
    ("rows", "given"),
    [
        (tallies(*[0] * 8, 4, 4), {}),
        (tallies(*[0] * 90, 4, 5), {"min": 0.1}),  # what is set aside is no burden
        (tallies(*[8] * 90, 4, 5), {"max": 0.9}),
    ],
)
def test_rows_that_teach_are_well(rows: list[Tally], given: dict[str, Any]) -> None:
    assert judge_difficulty(rows, settings(**given)).ok


def test_words() -> None:
    rows = [*tallies(0, 0, 1, 8), Tally(4, 0, 0)]
    assert told(rows) == (
        "of 4 rows, 2 were never solved and 1 always, the others in part (1 at 0-25%); of 1 more, no completion "
        "could be judged"
    )
    message, hint = nothing_left(tallies(0, 0), settings(min=0.1, max=0.9))
    assert message == (
        "data.difficulty sets every row of data.train aside (min 0.1 and max 0.9): of 2 rows, 2 were never solved and "
        "0 always"
    )
    assert "widen data.difficulty.min and max" in hint
