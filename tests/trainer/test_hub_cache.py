"""Models of the Hub without a Hub: out of a cache that a test has prepared, as a download would have left it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import constants

from reasoning_contract.outcome import ExitCode
from reasoning_contract.resolve import resolve
from reasoning_contract.spec import Spec
from reasoning_trainer.commits import Commits
from reasoning_trainer.errors import TrainerError
from reasoning_trainer.job import Inputs
from reasoning_trainer.stages.load import fetch, require_safetensors

OLD, NEW = "a" * 40, "b" * 40
NOWHERE = Inputs(None, None)


def spec(**model: Any) -> Spec:
    document = {
        "model": {"source": "hf://owner/name"} | model,
        "data": {"train": {"rows": [{"prompt": "a", "answer": "b"}]}},
        "rewards": [{"name": "correct", "builtin": "correctness"}],
        "evaluation": {"enabled": False},
        "parallelism": {"gpusPerNode": 0},
    }
    return resolve(Spec.model_validate(document))


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fake: the cache of two downloads, main being the newer commit."""
    repository = tmp_path / "models--owner--name"
    for commit in (OLD, NEW):
        (repository / "snapshots" / commit).mkdir(parents=True)
        (repository / "snapshots" / commit / "model.safetensors").write_text(commit)
    (repository / "refs").mkdir()
    (repository / "refs/main").write_text(NEW)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    return repository


def test_files_that_are_there_need_no_hub(cache: Path) -> None:
    assert fetch(spec(), NOWHERE) == (cache / "snapshots" / NEW, NEW)
    assert fetch(spec(revision=OLD), NOWHERE) == (cache / "snapshots" / OLD, OLD)


def test_later_attempt_takes_the_commit_of_the_first(cache: Path, tmp_path: Path) -> None:
    commits = Commits(tmp_path / "commits.json")
    (cache / "refs/main").write_text(OLD)
    assert fetch(spec(), NOWHERE, commits=commits)[1] == OLD
    (cache / "refs/main").write_text(NEW)
    assert fetch(spec(), NOWHERE, commits=commits)[1] == OLD
    assert fetch(spec(), NOWHERE)[1] == NEW


@pytest.mark.usefixtures("cache")
@pytest.mark.parametrize("model", [{"revision": "c" * 40}, {"source": "hf://owner/other"}], ids=str)
def test_files_that_are_not_there_are_asked_for_again(model: dict[str, str]) -> None:
    with pytest.raises(TrainerError, match="cannot be fetched") as caught:
        fetch(spec(**model), NOWHERE)
    assert (caught.value.exit_code, caught.value.reason) == (ExitCode.TRANSIENT, "HubUnreachable")


@pytest.mark.parametrize(
    ("files", "words"),
    [(["config.json", "pytorch_model.bin"], "it has pytorch_model.bin"), (["config.json"], "no weights")],
)
def test_weights_that_are_no_safetensors_are_refused(tmp_path: Path, files: list[str], words: str) -> None:
    for name in files:
        (tmp_path / name).touch()
    with pytest.raises(TrainerError, match=words) as caught:
        require_safetensors(spec(), tmp_path)
    assert (caught.value.exit_code, caught.value.reason) == (ExitCode.MODEL_INVALID, "SafetensorsMissing")
    (tmp_path / "model.safetensors").touch()
    require_safetensors(spec(), tmp_path)
