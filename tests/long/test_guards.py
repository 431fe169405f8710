"""Reward hacking, by a run: a model that knows some answers is paid for something else, and forgets them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from reasoning_contract.exit_codes import ExitCode
from reasoning_trainer.commands.run import Options, run
from reasoning_trainer.reporting.display import Display

ROOT = Path(__file__).parents[2]
LETTERS = """
def score(prompts, completions, **columns):
    return [sum(c.isalpha() for c in each[0]["content"]) for each in completions]
"""
SPEC: dict[str, Any] = {
    "model": {"source": "pvc://parity/model", "maxSequenceLength": 64},
    "lora": {"rank": 16, "alpha": 32, "gradientCheckpointing": "none"},
    "chatTemplate": {"systemPrompt": ""},
    "data": {"train": {"source": "pvc://parity/train.jsonl"}},
    "evaluation": {"enabled": False},
    "reinforce": {
        "steps": 40,
        "batchSize": 64,
        "numGenerations": 8,
        "maxCompletionLength": 16,
        "learningRate": 5e-3,
        "scheduler": "constant",
    },
    "rewards": [
        {"name": "correct", "builtin": "correctness", "weight": 0.01, "params": {"parser": "exact"}},
        {"name": "letters", "python": {"source": LETTERS}},
    ],
    "guards": {"rewardHacking": {"action": "fail", "windowSteps": 12}},
    "parallelism": {"gpusPerNode": 0},
}


@pytest.fixture(scope="module")
def claims(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model of the algorithms' examples, which tells even from odd in half of the rows."""
    folder = tmp_path_factory.mktemp("claims")
    command = [sys.executable, "-m", "hack.algorithms.make_parity", folder / "parity"]
    subprocess.run(command, check=True, cwd=ROOT)
    return folder


def test_a_policy_that_is_paid_for_something_else_than_right_answers_is_stopped(claims: Path, tmp_path: Path) -> None:
    (tmp_path / "job.json").write_text(json.dumps({"kind": "ReasoningTrainingJob", "spec": SPEC}), "utf-8")
    with Display() as display:
        outcome = run(Options(tmp_path / "job.json", tmp_path / "run", claims=claims), display)
    assert (outcome.exit_code, outcome.reason) == (ExitCode.NOT_LEARNING, "RewardHacking"), outcome.message
    assert "while the policy was paid more for other things (letters from" in outcome.message
    assert outcome.progress is not None
    told = {each.condition: each for each in outcome.progress.verdicts}["RewardsAgree"]
    assert (told.ok, told.reason) == (False, "RewardHacking")
