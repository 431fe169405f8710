"""The manifests of examples/rewards, shortened: the reward rises where that is quick. Whole ones: tests/long."""

from __future__ import annotations

from pathlib import Path
from statistics import fmean

import pytest
from tests.reward_examples import MANIFESTS, make_claims, run_example, servers

STEPS = 24
"""Fewer than the manifests have: enough to see a reward rise."""
SLOW = ("code", "judge")
"""Examples whose every completion is a process or a request: here they are only scored."""
UNEVALUATED = {"enabled": False, "requireImprovement": False}


@pytest.fixture(scope="module")
def claims(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_claims(tmp_path_factory)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("path", [each for each in MANIFESTS if each.stem not in SLOW], ids=lambda path: path.stem)
def test_reward_rises(path: Path, claims: Path, tmp_path: Path) -> None:
    with servers() as addresses:
        rewards = run_example(path, tmp_path, claims, addresses, reinforce={"steps": STEPS}, evaluation=UNEVALUATED)
    print(f"{path.stem}: {fmean(rewards[:4]):.3f} at first, {fmean(rewards[-4:]):.3f} in the end")
    assert fmean(rewards[-4:]) > fmean(rewards[:4]) + 0.1


@pytest.mark.timeout(900)
@pytest.mark.parametrize("path", [each for each in MANIFESTS if each.stem in SLOW], ids=lambda path: path.stem)
def test_completions_are_scored(path: Path, claims: Path, tmp_path: Path) -> None:
    few = {"steps": 2, "batchSize": 32}
    with servers() as addresses:
        rewards = run_example(path, tmp_path, claims, addresses, reinforce=few, evaluation=UNEVALUATED)
    assert len(rewards) == 2
    assert all(0.1 < reward < 0.9 for reward in rewards)
