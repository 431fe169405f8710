"""What an attempt makes of a run that was begun with another spec, other rows or another model."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.trainer.attempts import progress, result
from tests.trainer.conftest import rows

from reasoning_contract.exit_codes import ExitCode
from reasoning_contract.outcome import Outcome
from reasoning_contract.spec.changing import CHANGED_HINT

Manifest = Callable[..., Path]
Train = Callable[..., Outcome]
SMALL = {"steps": 1, "numGenerations": 4, "batchSize": 8, "maxCompletionLength": 8}
REWARDS = [{"name": "correct", "builtin": "correctness"}, {"name": "format", "builtin": "format"}]


@pytest.fixture
def job(manifest: Manifest, tiny_model: Path, tmp_path: Path) -> Callable[..., Path]:
    """Writes a manifest of a small job whose rows and model lie in files; keyword arguments replace parts of it."""
    shutil.copytree(tiny_model, tmp_path / "model")
    write_rows(tmp_path, rows(8, 1))

    def write(**changes: Any) -> Path:
        data = {
            "train": {"source": f"file://{tmp_path}/train.jsonl"},
            "warmup": {"rows": rows(4, 2)},
            "heldOut": {"rows": rows(4, 3, first=5, last=9)},
        }
        model = {"source": f"file://{tmp_path}/model", "maxSequenceLength": 128}
        return manifest(**{"model": model, "data": data, "reinforce": SMALL} | changes)

    return write


def write_rows(folder: Path, content: list[dict[str, str]]) -> None:
    (folder / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in content))


def change_nothing(folder: Path) -> None:
    pass


def change_a_row(folder: Path) -> None:
    write_rows(folder, [{"prompt": "1+1", "answer": "2"}, *rows(8, 1)[1:]])


def turn_rows_round(folder: Path) -> None:
    write_rows(folder, rows(8, 1)[::-1])


def change_the_model(folder: Path) -> None:
    """Change one weight in the middle of the file: name and size of the file stay."""
    path = folder / "model/model.safetensors"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


CHANGES: dict[str, tuple[dict[str, Any], Callable[[Path], None], str]] = {
    "length": (
        {"reinforce": SMALL | {"maxCompletionLength": 9}},
        change_nothing,
        "reinforce.maxCompletionLength: 8 -> 9",
    ),
    "seed": ({"reinforce": SMALL | {"seed": 1}}, change_nothing, "reinforce.seed: 3407 -> 1"),
    "weight": ({"rewards": [REWARDS[0] | {"weight": 2.0}, REWARDS[1]]}, change_nothing, '"weight": 2.0'),
    "order of rewards": ({"rewards": REWARDS[::-1]}, change_nothing, "rewards: "),
    "row": ({}, change_a_row, "rows.train.content: "),
    "order of rows": ({}, turn_rows_round, "rows.train.order: "),
    "model": ({}, change_the_model, "model.safetensors: "),
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_change_is_refused_by_name_or_starts_over(job: Manifest, train: Train, tmp_path: Path, what: str) -> None:
    parts, act, named = CHANGES[what]
    run = tmp_path / "run"
    assert train(job()).exit_code == 0
    (run / "reinforce/left-over").touch()
    act(tmp_path)

    refused = train(job(**parts))
    assert refused.exit_code == ExitCode.SPEC_CHANGED
    assert named in refused.message
    assert refused.hint == CHANGED_HINT
    assert (run / "reinforce/left-over").exists()
    if what == "order of rows":
        assert "content" not in refused.message

    assert train(job(**parts, checkpoint={"onSpecChange": "startOver"})).exit_code == 0
    assert not (run / "reinforce/left-over").exists()
    fresh = train(job(**parts), tmp_path / "fresh")
    assert fresh.exit_code == 0
    assert result(run) == result(tmp_path / "fresh")


def test_what_is_no_part_of_the_recipe_may_change(job: Manifest, train: Train, tmp_path: Path) -> None:
    assert train(job()).exit_code == 0
    before = result(tmp_path / "run")
    assert train(job(limits={"maxAttempts": 7}, checkpoint={"everySteps": 9}, storage={"size": "9Gi"})).exit_code == 0
    assert result(tmp_path / "run") == before


def test_another_evaluation_is_made_anew_and_nothing_is_trained_again(
    job: Manifest, train: Train, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    assert train(job(evaluation={"passAtK": [1, 2]})).exit_code == 0
    before = result(run)
    assert train(job(evaluation={"passAtK": [1, 4]})).exit_code == 0
    assert (result(run)["history"], result(run)["artifacts"]) == (before["history"], before["artifacts"])
    evaluation = progress(run).evaluation
    assert evaluation is not None
    for score in (evaluation.held_out.base, evaluation.held_out.warmup, evaluation.held_out.reinforce):
        assert score is not None
        assert set(score.pass_at_k or {}) == {"1", "4"}


def test_change_of_a_stage_that_is_done_has_no_effect_and_says_so(job: Manifest, train: Train, tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert train(job()).exit_code == 0
    before = result(run)["history"]
    assert train(job(warmup={"learningRate": 0.5})).exit_code == 0
    assert result(run)["history"] == before
    (change,) = progress(run).spec_changes or []
    assert (change.stage, change.attempt) == ("reinforce", 2)
    assert "warmup.learningRate: 0.005 -> 0.5 (no effect: that stage is done)" in change.changed
