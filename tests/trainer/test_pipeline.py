"""A whole job, from load to export."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from reasoning_contract.outcome import ExitCode, Outcome


def test_whole_job(manifest: Callable[..., Path], train: Callable[..., Outcome], tmp_path: Path) -> None:
    outcome = train(manifest(export={"formats": ["lora", "merged16bit"]}))

    assert outcome.exit_code == ExitCode.DONE, outcome
    assert outcome.progress is not None
    assert outcome.progress.progress.percent == 100
    assert outcome.progress.evaluation is not None
    held_out = outcome.progress.evaluation.held_out
    assert held_out.size == 8
    assert held_out.base
    assert held_out.warmup
    assert held_out.reinforce
    assert [artifact.kind for artifact in outcome.progress.artifacts or []] == ["lora", "merged16bit"]
    history = (tmp_path / "run/reinforce/history.jsonl").read_text().splitlines()
    assert len(history) == 4
    assert {"reward", "rewards/correct/mean", "rewards/format/mean"} <= json.loads(history[0]).keys()
    assert "sha256" in (tmp_path / "run/README.md").read_text()
