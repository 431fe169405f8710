"""The manifests of examples/rewards, shortened: the reward rises in every one. Whole ones: tests/long."""

from __future__ import annotations

from pathlib import Path
from statistics import fmean

import pytest
from tests.reward_examples import MANIFESTS, make_claims, run_example, servers

STEPS = 24
"""Fewer than the manifests have: enough to see a reward rise."""


@pytest.fixture(scope="module")
def claims(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_claims(tmp_path_factory.mktemp("claims"))


@pytest.mark.timeout(900)
@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.stem)
def test_reward_rises(path: Path, claims: Path, tmp_path: Path) -> None:
    short = {"reinforce": {"steps": STEPS}, "evaluation": {"enabled": False, "requireImprovement": False}}
    with servers() as addresses:
        rewards = run_example(path, tmp_path, claims, addresses, **short)
    print(f"{path.stem}: {fmean(rewards[:4]):.3f} at first, {fmean(rewards[-4:]):.3f} in the end")
    assert fmean(rewards[-4:]) > fmean(rewards[:4]) + 0.1
