"""The model card: the proof as people read it."""

from __future__ import annotations

import json
from pathlib import Path

from reasoning_contract.progress import Progress
from reasoning_contract.status import EvaluationStatus, HeldOutStatus, ProgressStatus, Score
from reasoning_trainer.job import read_job
from reasoning_trainer.model_card import model_card

SPEC = {
    "model": {"source": "file:///model"},
    "data": {"train": {"rows": [{"prompt": "1", "answer": "1"}]}},
    "evaluation": {"enabled": False},
    "rewards": [{"name": "correct", "builtin": "correctness"}],
}


def card(folder: Path, **margins: float) -> str:
    path = folder / "job.json"
    path.write_text(json.dumps({"kind": "ReasoningTrainingJob", "metadata": {"name": "sums"}, "spec": SPEC}))
    scores = {
        model: Score(accuracy=0.5, ci95=[0.4, 0.6], format=1.0, mean_length=12.0, margin=margins.get(model))
        for model in ("base", "reinforce")
    }
    progress = Progress(
        attempt=1,
        started_at="2026-01-01T00:00:00Z",
        stage="export",
        progress=ProgressStatus(display="99%", percent=99, updated_at="2026-01-01T00:00:00Z"),
        evaluation=EvaluationStatus(held_out=HeldOutStatus(size=8, **scores), improvement=0.25, p_value=0.125),
    )
    return model_card(read_job(path), progress)


def test_scores_and_recipe_are_told(tmp_path: Path) -> None:
    text = card(tmp_path)
    assert "| After RL | 0.500 | 0.400 to 0.600 | 1.000 | 12 |" in text
    assert "Gain over the base: +0.250 (one-sided exact McNemar p = 0.125)." in text
    assert "algorithm: GRPO" in text
    assert "chosen completion" not in text


def test_pairs_have_a_margin(tmp_path: Path) -> None:
    assert "nats: Base -0.500, After RL +2.000." in card(tmp_path, base=-0.5, reinforce=2.0)
