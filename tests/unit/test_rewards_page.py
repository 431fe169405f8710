"""docs/rewards.md has every kind of reward, with formula, source and examples."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest

from reasoning_contract.spec import Reward
from reasoning_contract.spec.rewards import Builtin
from reasoning_trainer.rewards.registry import BUILTINS, OF_GROUPS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/rewards.md").read_text("utf-8")
KINDS = ("builtin", "python", "http", "judge", "model")
ELSEWHERE = {"code", "perplexity"}
"""Built-in rewards that `make_scorer` makes by themselves: they need more than a completion."""


def table(head: str) -> dict[str, list[str]]:
    """Return the rows of the table with this head, by the name that each begins with."""
    lines = PAGE[PAGE.index(f"| {head} |") :].split("\n\n")[0].splitlines()[2:]
    cells = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    return {re.match(r"`(\w+)`", row[0])[1]: row for row in cells}  # type: ignore[index]


def test_kinds_are_those_of_the_spec() -> None:
    others = {"name", "weight", "weight_schedule", "params"}
    assert set(Reward.model_fields) - others == set(KINDS) == set(table("kind"))


@pytest.mark.parametrize("kind", KINDS)
def test_kind_has_examples_that_are_there(kind: str) -> None:
    links = re.findall(r"\]\(\.\./([^)]+)\)", table("kind")[kind][2])
    assert links
    assert all((ROOT / link).is_file() for link in links)


def test_builtin_rewards_are_those_of_the_spec_and_of_the_trainer() -> None:
    names = set(get_args(Builtin))
    assert set(table("`builtin` | value")) == names
    assert set(BUILTINS) | set(OF_GROUPS) | ELSEWHERE == names


@pytest.mark.parametrize("name", get_args(Builtin))
def test_builtin_reward_has_range_formula_source_and_examples(name: str) -> None:
    _, value, formula, source = table("`builtin` | value")[name]
    assert re.search(r"-?\d", value)
    assert len(formula) > 20
    assert source
    _, completion, score = table("`builtin` | completion")[name]
    assert completion
    assert re.search(r"\d", score)
