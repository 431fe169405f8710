"""Every loss of the GRPO family with TRL on a tiny model: what a first step is worth with the bounds filled in."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import pytest

from reasoning_contract.defaults import LOSS_DEFAULTS
from reasoning_contract.outcome import Outcome
from reasoning_contract.spec import Reinforce

LOSSES = {loss for part in get_args(Reinforce.model_fields["loss_type"].annotation) for loss in get_args(part)}
LETTERS = "def score(completions, **_): return [float(len(set(str(each)))) for each in completions]"
"""Source of a reward in which completions of a random model differ."""


def test_where_the_model_that_writes_is_updated_a_loss_with_bounds_of_its_own_learns_as_much(
    manifest: Callable[..., Path], train: Callable[..., Outcome], tmp_path: Path
) -> None:
    """All ratios are 1 in the first update, so that no bound and no gate may weaken its gradient; not in the second."""

    def gradients(loss: str) -> list[float]:
        run = tmp_path / loss
        outcome = train(
            manifest(
                reinforce={
                    "steps": 2,
                    "updatesPerGeneration": 2,
                    "numGenerations": 4,
                    "batchSize": 8,
                    "maxCompletionLength": 12,
                    "learningRate": 1e-2,
                    "warmupRatio": 0.0,
                    "lossType": loss,
                },
                warmup={"skip": True},
                evaluation={"enabled": False},
                rewards=[{"name": "letters", "python": {"source": LETTERS}}],
            ),
            run,
        )
        assert outcome.exit_code == 0, outcome
        return [
            float(json.loads(line)["grad_norm"]) for line in (run / "reinforce/history.jsonl").read_text().splitlines()
        ]

    found = {loss: gradients(loss) for loss in sorted(LOSSES)}
    print({loss: [round(norm, 3) for norm in each] for loss, each in found.items()})
    assert all(len(each) == 2 and all(map(math.isfinite, each)) for each in found.values())
    norms = {loss: each[0] for loss, each in found.items()}
    assert norms["grpo"] > 0
    assert LOSS_DEFAULTS.keys() <= LOSSES
    assert norms["cispo"] == pytest.approx(norms["dapo"], rel=1e-3)
    assert norms["vespo"] == pytest.approx(norms["dapo"], rel=1e-3)
    assert norms["sapo"] == pytest.approx(norms["grpo"], rel=1e-3)
    assert norms["luspo"] > norms["grpo"]  # a completion counts as often as it has tokens
