"""The manifests of examples/rewards as they are: every one improves what it is evaluated by, or its run would fail."""

from __future__ import annotations

from pathlib import Path
from statistics import fmean

import pytest
from tests.reward_examples import MANIFESTS, make_claims, run_example, servers


@pytest.fixture(scope="module")
def claims(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_claims(tmp_path_factory)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.stem)
def test_example_improves(path: Path, claims: Path, tmp_path: Path) -> None:
    with servers() as addresses:
        rewards = run_example(path, tmp_path, claims, addresses)
    print(f"{path.stem}: {fmean(rewards[:4]):.3f} at first, {fmean(rewards[-4:]):.3f} in the end")
    assert fmean(rewards[-4:]) > fmean(rewards[:4]) + 0.1
