from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

import pytest
from tests.manifests import TABLE, merge

from reasoning_contract.exit_codes import ExitCode
from reasoning_contract.resolve import resolve
from reasoning_contract.spec import Spec
from reasoning_contract.spec.changing import differences
from reasoning_trainer.errors import TrainerError
from reasoning_trainer.storage.run_folder import (
    COMPLETE,
    RunFolder,
    StageFolder,
    read_lines,
    recipe_of,
    whole_folder,
    write_atomic,
    write_lines,
)


class BrokenOffError(Exception):
    pass


def checkpoint(folder: StageFolder, step: int) -> None:
    folder.checkpoint(step).mkdir(parents=True)
    (folder.checkpoint(step) / "weights").write_text(str(step))


def test_only_sealed_checkpoints_count(tmp_path: Path) -> None:
    folder = StageFolder(tmp_path)
    checkpoint(folder, 2)
    folder.seal(2, keep=2)
    checkpoint(folder, 10)
    assert folder.checkpoints() == [(2, folder.checkpoint(2))]
    folder.discard_incomplete()
    assert not folder.checkpoint(10).exists()


def test_old_checkpoints_go_only_when_the_new_one_is_complete(tmp_path: Path) -> None:
    folder = StageFolder(tmp_path)
    for step in (2, 9, 10):
        checkpoint(folder, step)
        assert len(folder.checkpoints()) == (step > 2)
        folder.seal(step, keep=1)
        assert folder.checkpoints() == [(step, folder.checkpoint(step))]
    assert not folder.checkpoint(9).exists()


def test_a_folder_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "adapter"
    with suppress(BrokenOffError), whole_folder(path) as partial:
        (partial / "weights").write_text("half")
        raise BrokenOffError
    assert not path.exists()
    with whole_folder(path) as partial:
        assert list(partial.iterdir()) == []
        (partial / "weights").write_text("all")
    assert (path / "weights").read_text() == "all"


def test_a_file_is_replaced_in_one_step(tmp_path: Path) -> None:
    path = tmp_path / "progress.json"
    write_atomic(path, "old")
    with path.open() as reader:
        write_atomic(path, "new")
        assert reader.read() == "old"
    assert path.read_text() == "new"
    assert [each.name for each in tmp_path.iterdir()] == ["progress.json"]


def test_lines_come_back(tmp_path: Path) -> None:
    rows = [{"prompt": "1 + 1\n= ?", "answer": "zwölf"}, {"prompt": ""}]
    write_lines(tmp_path / "rows.jsonl", rows)
    assert read_lines(tmp_path / "rows.jsonl") == rows


def test_one_attempt_at_a_time(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    with folder.lock(), pytest.raises(TrainerError) as error, folder.lock():
        pass
    assert error.value.exit_code == ExitCode.TRANSIENT
    with folder.lock():
        pass


def test_changed_fields_are_named() -> None:
    before = {"reinforce": {"steps": 100, "beta": 0.0}, "rows": "a"}
    now = {"reinforce": {"steps": 200, "beta": 0.0, "topP": 0.9}, "rows": "b"}
    assert differences(before, now) == [
        "reinforce.steps: 100 -> 200",
        "reinforce.topP: not set -> 0.9",
        'rows: "a" -> "b"',
    ]
    assert differences(now, now) == []


def test_a_recipe_may_change_while_nothing_is_trained(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.agree_on_recipe({"rows": "a"}, "refuse")
    folder.evaluation.mkdir()
    folder.agree_on_recipe({"rows": "b"}, "refuse")
    assert not folder.evaluation.exists()


def test_a_changed_recipe_is_refused_or_starts_over(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.agree_on_recipe({"rows": "a"}, "refuse")
    checkpoint(folder.stage("reinforce"), 2)
    folder.stage("reinforce").seal(2, keep=1)
    with pytest.raises(TrainerError, match='rows: "a" -> "b"') as caught:
        folder.agree_on_recipe({"rows": "b"}, "refuse")
    assert "reasoning-operator.io/retry" in caught.value.hint
    assert (folder.stage("reinforce").checkpoint(2) / COMPLETE).exists()
    folder.agree_on_recipe({"rows": "b"}, "startOver")
    assert folder.stage("reinforce").checkpoints() == []
    folder.agree_on_recipe({"rows": "b"}, "refuse")


def test_another_recipe_chooses_its_backend_anew(tmp_path: Path) -> None:
    """A larger model may not fit where the one before did."""
    folder = RunFolder(tmp_path)
    folder.agree_on_recipe({"model": {"source": "small"}}, "refuse")
    folder.choice.write_text("{}")
    folder.agree_on_recipe({"model": {"source": "small"}}, "refuse")
    folder.agree_on_base_model({"weights": "a"}, "refuse")
    folder.agree_on_base_model({"weights": "b"}, "startOver")
    assert folder.choice.exists()
    folder.agree_on_recipe({"model": {"source": "large"}}, "startOver")
    assert not folder.choice.exists()


def test_starting_over_is_begun_again_after_a_kill(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Checkpoints of the model before are never taken for those of the new one."""

    def killed(path: Path) -> None:
        raise BrokenOffError

    folder = RunFolder(tmp_path)
    folder.agree_on_base_model({"weights": "a"}, "refuse")
    checkpoint(folder.stage("reinforce"), 2)
    folder.stage("reinforce").seal(2, keep=1)
    with monkeypatch.context() as patch, suppress(BrokenOffError):
        patch.setattr("shutil.rmtree", killed)
        folder.agree_on_base_model({"weights": "b"}, "startOver")
    with pytest.raises(TrainerError, match='weights: "a" -> "b"'):
        folder.agree_on_base_model({"weights": "b"}, "refuse")
    folder.agree_on_base_model({"weights": "b"}, "startOver")
    assert folder.stage("reinforce").checkpoints() == []


def test_a_file_that_goes_while_the_folder_is_measured_has_no_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a report's partial file does when it takes its place."""
    (tmp_path / "kept").write_text("four")
    (tmp_path / ".gone.partial").write_text("x")
    known = Path.is_file

    def is_file(path: Path) -> bool:
        found = known(path)
        if path.name == ".gone.partial":
            path.unlink(missing_ok=True)
        return found

    monkeypatch.setattr(Path, "is_file", is_file)
    assert RunFolder(tmp_path).size == 4


EARLIER = {
    "algorithm",
    "numGenerations",
    "updatesPerGeneration",
    "maxPromptLength",
    "maxCompletionLength",
    "optimizer",
    "lossType",
    "importanceSampling",
    "scaleRewards",
    "resampleRounds",
    "seed",
}
"""What recipes of these had of RL before there were multiObjectiveAggregation, lossAggregation and fp32LmHead."""


@pytest.mark.parametrize("algorithm", ["GRPO", "GSPO", "DrGRPO", "DAPO", "RLOO"])
def test_a_run_that_an_earlier_build_began_goes_on(tmp_path: Path, algorithm: str) -> None:
    """A field that is new has no value where nobody set it: else it is a change of what is learned."""
    now = recipe_of(resolve(Spec.model_validate(merge(TABLE["good"], {"reinforce": {"algorithm": algorithm}}))), {})
    before = now | {"reinforce": {name: value for name, value in now["reinforce"].items() if name in EARLIER}}
    folder = RunFolder(tmp_path)
    write_atomic(tmp_path / "recipe.json", json.dumps(before))
    checkpoint(folder.stage("reinforce"), 3)
    folder.stage("reinforce").seal(3, keep=1)
    folder.agree_on_recipe(now, "refuse")
    assert folder.stage("reinforce").checkpoints()
