"""The model's files come while something else is done. What brings them is a fake."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from threading import Event
from types import SimpleNamespace
from typing import Any

import pytest

from reasoning_contract.exit_codes import ExitCode
from reasoning_trainer.errors import TrainerError
from reasoning_trainer.interruption import Interruption
from reasoning_trainer.storage import model_files
from reasoning_trainer.storage.model_files import begin_to_fetch, require_safetensors

FILES = (Path("model"), "a" * 40)
WAIT_SECONDS = 30


class FakeDownload:
    """Takes as long as the test wants."""

    def __init__(self) -> None:
        self.begun, self.may_end = Event(), Event()
        self.error: Exception | None = None

    def __call__(self, *arguments: Any, **more: Any) -> tuple[Path, str]:
        self.begun.set()
        self.may_end.wait(WAIT_SECONDS)
        if self.error:
            raise self.error
        return FILES


@pytest.fixture
def download(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeDownload]:
    fake = FakeDownload()
    monkeypatch.setattr(model_files, "fetch", fake)
    yield fake
    fake.may_end.set()


@pytest.fixture
def context() -> Any:
    """As much of a context as fetching looks at."""
    spec = SimpleNamespace(
        model=SimpleNamespace(source="file:///model"), inference=SimpleNamespace(engine="transformers")
    )
    interruption, tracker = Interruption(lambda: None), SimpleNamespace(say=print)
    return SimpleNamespace(spec=spec, inputs=None, commits=None, interruption=interruption, tracker=tracker)


def test_files_come_while_something_else_is_done(download: FakeDownload, context: Any) -> None:
    fetched = begin_to_fetch(context)
    assert download.begun.wait(WAIT_SECONDS)
    download.may_end.set()
    assert fetched() == FILES
    assert fetched() == FILES


@pytest.mark.parametrize("error", [TrainerError(ExitCode.TRANSIENT, "HubUnreachable", "no"), TimeoutError("slow")])
def test_what_goes_wrong_is_told_to_who_waits(download: FakeDownload, context: Any, error: Exception) -> None:
    download.error = error
    download.may_end.set()
    with pytest.raises(type(error)) as caught:
        begin_to_fetch(context)()
    assert caught.value is error


def test_who_is_told_to_stop_does_not_wait_for_the_download(download: FakeDownload, context: Any) -> None:
    fetched = begin_to_fetch(context)
    context.interruption._requested.set()
    with pytest.raises(TrainerError) as caught:
        fetched()
    assert caught.value.exit_code == ExitCode.INTERRUPTED
    assert not download.may_end.is_set()


def test_pointers_of_git_lfs_are_no_weights(context: Any, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(b"\0" * 2000)
    require_safetensors(context.spec, tmp_path)
    (tmp_path / "tokenizer.json").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:1f\nsize 9\n")
    with pytest.raises(TrainerError, match=r"pointers of Git LFS instead of files: tokenizer\.json") as caught:
        require_safetensors(context.spec, tmp_path)
    assert caught.value.reason == "GitLfsPointer"
