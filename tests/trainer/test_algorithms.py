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
TEMPLATE = {
    "systemPrompt": "",
    "reasoningTags": {"start": "(", "end": ")"},
    "answerTags": {"start": "[", "end": "]"},
}
STEPS = 16


def history(run: Path, stage: str = "reinforce") -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / stage / "history.jsonl").read_text().splitlines()]


def mean(entries: list[dict[str, Any]], key: str) -> float:
    values = [entry[key] for entry in entries if key in entry]
    return sum(values) / len(values)


@pytest.fixture(scope="module")
def guessing_model(
    tiny_model: Path, write_manifest: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory, train_in: Train
) -> Path:
    """The tiny model after a warm-up on rows that answer 0 or 1 at random."""
    folder = tmp_path_factory.mktemp("guessing")
    rows = [{"prompt": f"{n}", "reasoning": "-", "answer": f"{n * n // 3 % 2}"} for n in range(128)]
    job = write_manifest(
        folder,
        chatTemplate=TEMPLATE,
        data={"train": {"rows": rows}, "warmup": {"rows": rows}},
        warmup={"epochs": 6, "batchSize": 16, "gradientAccumulation": 1, "learningRate": 2e-2},
        reinforce={"algorithm": "none", "maxCompletionLength": 10},
        rewards=None,
        evaluation={"enabled": False},
        export={"formats": ["merged16bit"]},
        checkpoint={"everySteps": 1000},
    )
    outcome = train_in(job, folder / "run")
    assert outcome.exit_code == 0, outcome
    return folder / "run/artifacts/merged16bit"


@pytest.mark.parametrize("algorithm", ["GRPO", "GSPO", "DrGRPO", "DAPO", "ScaleRL", "RLOO", "PPO"])
def test_reward_rises(manifest: Manifest, train: Train, tmp_path: Path, guessing_model: Path, algorithm: str) -> None:
    """In less than one epoch the prompts are new at every step: the reward is measured on rows that were not seen.

    GSPO makes four updates with the completions of which the others make one.
    """
    updates = 4 if algorithm == "GSPO" else 1
    job = manifest(
        model={"source": f"file://{guessing_model}", "maxSequenceLength": 64},
        chatTemplate=TEMPLATE,
        data={"train": {"rows": [{"prompt": f"{n}", "answer": "1"} for n in range(200)]}},
        reinforce={
            "algorithm": algorithm,
            "steps": STEPS * updates,
            "batchSize": 32 // updates,
            "maxCompletionLength": 10,
            "learningRate": 5e-3,
            "scheduler": "constant",
        },
        rewards=[{"name": "correct", "builtin": "correctness", "params": {"parser": "exact"}}],
        evaluation={"enabled": False},
        checkpoint={"everySteps": 1000},
    )
    outcome = train(job)
    assert outcome.exit_code == 0, outcome
    key = "objective/scores" if algorithm == "PPO" else "reward"
    generations = [entry for entry in history(tmp_path / "run") if key in entry]
    assert len(generations) == STEPS
    assert mean(generations[-4:], key) > mean(generations[:2], key) + 0.2
    spent = [entry["completions/spent"] for entry in generations]
    if algorithm == "DAPO":  # which replaces groups
        assert spent[-1] > 32 * STEPS
    else:
        assert spent == [32 * step for step in range(1, STEPS + 1)]


@pytest.mark.parametrize("algorithm", ["DPO", "ORPO"])
def test_preference_rises(
    manifest: Manifest, train: Train, tmp_path: Path, guessing_model: Path, algorithm: str
) -> None:
    """The same, for how much likelier the chosen completion is than the rejected one."""
    pairs = [{"prompt": f"{n}", "chosen": "(-)\n[1]", "rejected": "(-)\n[0]"} for n in range(200)]
    job = manifest(
        model={"source": f"file://{guessing_model}", "maxSequenceLength": 64},
        chatTemplate=TEMPLATE,
        data={"train": {"rows": pairs}, "heldOut": {"fraction": 0.2}},
        reinforce={
            "algorithm": algorithm,
            "steps": STEPS,
            "batchSize": 16,
            "learningRate": 1e-2,
            "maxCompletionLength": 10,
            "scheduler": "constant",
        },
        rewards=[],
        evaluation={"requireImprovement": True},
        checkpoint={"everySteps": 1000},
    )
    outcome = train(job)
    assert outcome.exit_code == 0, outcome
    steps = history(tmp_path / "run")
    assert len([entry for entry in steps if "rewards/margins" in entry]) == STEPS
    assert mean(steps[-4:], "rewards/margins") > mean(steps[:2], "rewards/margins") + 0.02
    assert outcome.progress is not None
    assert outcome.progress.evaluation is not None
    found = outcome.progress.evaluation
    assert found.held_out.reinforce is not None
    assert (found.final_accuracy, found.held_out.reinforce.accuracy) == (None, None)
    assert found.preferred_improvement is not None
    assert found.preferred_improvement > 0.5
    card = (tmp_path / "run/README.md").read_text()
    assert "By pairs preferred, the final model is better than the base model" in card
