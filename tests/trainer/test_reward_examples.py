"""The manifests of examples/rewards, shortened: the reward rises in every one. Whole ones: tests/long."""

from __future__ import annotations

from pathlib import Path
from statistics import fmean

import pytest
from tests.reward_examples import FOLDER, MANIFESTS, make_claims, run_example, serving

STEPS = 24
"""Fewer than the manifests have: enough to see a reward rise."""


@pytest.fixture(scope="module")
def claims(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_claims(tmp_path_factory.mktemp("claims"))


@pytest.mark.timeout(900)
@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.stem)
def test_reward_rises(path: Path, claims: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REWARD_HEADERS_RIGHT", "Authorization: Bearer secret")
    short = {"reinforce": {"steps": STEPS}, "evaluation": {"enabled": False, "requireImprovement": False}}
    with serving(FOLDER / "server.py", {"REWARD_TOKEN": "secret"}) as address:
        rewards = run_example(path, tmp_path, claims, address, **short)
    print(f"{path.stem}: {fmean(rewards[:4]):.3f} at first, {fmean(rewards[-4:]):.3f} in the end")
    assert fmean(rewards[-4:]) > fmean(rewards[:4]) + 0.1
