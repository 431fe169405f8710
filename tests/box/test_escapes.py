"""Every attempt of the table against a box in each of its ways, and without one: none gets through, but without it."""

from __future__ import annotations

import pytest
from tests.box.attempts import ATTEMPTS, Attempt
from tests.box.hosts import GOT_THROUGH, OpenPython
from tests.box.world import World

from reasoning_trainer.rewards.box import Box, Function

DEADLINE = 20.0
SHORT = 0.5
"""Seconds for an attempt that hangs."""
Outside = tuple[str, OpenPython, World]


@pytest.mark.parametrize("attempt", ATTEMPTS, ids=lambda attempt: attempt.name)
def test_attempt_is_stopped_by_the_box(attempt: Attempt, surroundings: tuple[Box, World]) -> None:
    box, world = surroundings
    function = Function("attempt", source=attempt.source, origin="reward.py")
    arguments = {"completions": [""], "target": [world.target]}
    answer = box.call(function, arguments, SHORT if attempt.ends else DEADLINE)
    assert answer.values in ([0.0], [None])
    assert world.damage() == []
    if attempt.ends:
        assert "again when the batch was tried once more" in answer.problems[0].message
    else:
        assert not any("its process ended" in problem.message for problem in answer.problems)


@pytest.mark.parametrize("attempt", [each for each in ATTEMPTS if each.shown], ids=lambda attempt: attempt.name)
def test_attempt_gets_through_without_a_box(attempt: Attempt, outside: Outside) -> None:
    who, python, world = outside
    if who not in attempt.shown:
        pytest.skip(f"not possible for {who} anyway")
    told = python.run(attempt.source, world.target)
    damage = world.damage()
    if damage:
        world.build()
    assert damage or told in GOT_THROUGH
