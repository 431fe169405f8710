"""Every algorithm learns, with TRL's own trainer: the measure that it raises rises on rows that it has not seen."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reasoning_contract.outcome import Outcome

Manifest = Callable[..., Path]
Train = Callable[..., Outcome]
STEPS = 30


def history(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "reinforce/history.jsonl").read_text().splitlines()]


def mean(entries: list[dict[str, Any]], key: str) -> float:
    values = [entry[key] for entry in entries if key in entry]
    return sum(values) / len(values)


@pytest.mark.parametrize("algorithm", ["GRPO", "GSPO", "DrGRPO", "DAPO", "RLOO", "PPO"])
def test_reward_rises(manifest: Manifest, train: Train, tmp_path: Path, algorithm: str) -> None:
    """In less than one epoch the prompts are new at every step: the reward is measured on rows that were not seen."""
    job = manifest(
        data={
            "train": {"rows": [{"prompt": f"{n}", "answer": "1"} for n in range(300)]},
        },
        reinforce={
            "algorithm": algorithm,
            "steps": STEPS,
            "batchSize": 64,
            "maxCompletionLength": 8,
            "learningRate": 2e-2,
            "scheduler": "constant",
        }
        | ({"maskTruncated": False} if algorithm == "DAPO" else {}),
        rewards=[{"name": "brief", "builtin": "lengthPenalty", "params": {"targetTokens": 1, "maxTokens": 8}}],
        evaluation={"enabled": False},
        checkpoint={"everySteps": 100},
    )
    outcome = train(job)
    assert outcome.exit_code == 0, outcome
    steps = history(tmp_path / "run")
    key = "objective/scores" if algorithm == "PPO" else "reward"
    assert len([entry for entry in steps if key in entry]) == STEPS
    assert mean(steps[-5:], key) > mean(steps[:5], key) + 0.1


@pytest.mark.parametrize("algorithm", ["DPO", "ORPO"])
def test_margin_rises(manifest: Manifest, train: Train, tmp_path: Path, algorithm: str) -> None:
    pairs = [{"prompt": f"{n}", "chosen": "<answer>1</answer>", "rejected": "no answer"} for n in range(128)]
    job = manifest(
        data={"train": {"rows": pairs}},
        reinforce={
            "algorithm": algorithm,
            "steps": 10,
            "batchSize": 8,
            "learningRate": 5e-3,
            "maxCompletionLength": 24,
        },
        rewards=[],
        evaluation={"enabled": False},
    )
    outcome = train(job)
    assert outcome.exit_code == 0, outcome
    steps = history(tmp_path / "run")
    assert mean(steps[-3:], "rewards/margins") > mean(steps[:1], "rewards/margins") + 0.05
