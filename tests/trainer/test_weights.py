"""Weights that change over the steps, in the trainers of TRL; that a resumed run has the same: test_resume.py."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from reasoning_contract.outcome import Outcome

ONE = {"source": "def score(completions, **_): return [1.0] * len(completions)"}
REWARDS = [
    {"name": "kept", "python": ONE, "weight": 3.0},
    {"name": "turned", "python": ONE, "weightSchedule": [{"step": 2, "weight": -3.0}, {"step": 3, "weight": 2.0}]},
]
NAMES = {"GRPO": "reward", "RLOO": "reward", "PPO": "objective/scores"}
"""How the trainers log the weighted sum."""


@pytest.mark.parametrize("algorithm", NAMES)
def test_sum_has_the_weights_of_the_step(
    write_manifest: Callable[..., Path], train: Callable[..., Outcome], tmp_path: Path, algorithm: str
) -> None:
    reinforce = {"algorithm": algorithm, "steps": 5, "batchSize": 8, "maxCompletionLength": 12, "learningRate": 1e-3}
    changes = {
        "warmup": {"skip": True},
        "evaluation": {"enabled": False},
        "guards": {"learningSignal": {"action": "off"}},
    }
    group = {} if algorithm == "PPO" else {"numGenerations": 4}
    job = write_manifest(tmp_path, reinforce=reinforce | group, rewards=REWARDS, **changes)
    assert train(job).exit_code == 0
    entries = map(json.loads, (tmp_path / "run/reinforce/history.jsonl").read_text().splitlines())
    sums = [entry[NAMES[algorithm]] for entry in entries if NAMES[algorithm] in entry]
    assert sums == [4.0, 2.0, 0.0, 5.0, 5.0]
