"""Two processes on one cache: the second waits for the first, and goes on without it when that takes too long."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from reasoning_trainer.storage.engine_cache import exclusive

HOLDER = """
import sys
from reasoning_trainer.storage.engine_cache import exclusive
with exclusive(print, when=True):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VLLM_CACHE_ROOT", str(tmp_path / "vllm"))
    monkeypatch.setenv("VLLM_DISABLE_COMPILE_CACHE", "0")
    return tmp_path / "vllm"


@pytest.fixture
def holder(cache: Path) -> Iterator[subprocess.Popen[str]]:
    environment = os.environ | {"PYTHONPATH": ":".join(sys.path)}
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_second_process_gives_up_the_compiled_graphs_rather_than_hang(holder: subprocess.Popen[str]) -> None:
    said: list[str] = []
    with exclusive(said.append, when=True, patience=0.1):
        assert os.environ["VLLM_DISABLE_COMPILE_CACHE"] == "1"
    assert "going on without it" in said[-1]


def test_lock_of_a_killed_process_is_free(holder: subprocess.Popen[str]) -> None:
    holder.kill()
    holder.wait()
    said: list[str] = []
    with exclusive(said.append, when=True, patience=0.1):
        assert os.environ["VLLM_DISABLE_COMPILE_CACHE"] == "0"
    assert said == []


def test_second_process_waits_for_the_first(holder: subprocess.Popen[str]) -> None:
    def end_the_first(text: str) -> None:
        assert text.startswith("waiting")
        holder.kill()
        holder.wait()

    with exclusive(end_the_first, when=True, patience=60):
        assert os.environ["VLLM_DISABLE_COMPILE_CACHE"] == "0"


def test_processes_on_one_gpu_wait_for_each_other_whatever_their_caches(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    said: list[str] = []
    with exclusive(print, when=True, gpu="GPU-1"):
        monkeypatch.setenv("VLLM_CACHE_ROOT", str(tmp_path / "another"))
        with exclusive(said.append, when=True, gpu="GPU-1", patience=0.1):
            assert os.environ["VLLM_DISABLE_COMPILE_CACHE"] == "0"
        with exclusive(print, when=True, gpu="GPU-2", patience=0.1):
            pass
    assert [text.split(" engine ")[1][:11] for text in said] == ["on this GPU", "on this GPU"]


def test_without_an_engine_nothing_is_locked(cache: Path) -> None:
    with exclusive(print, when=False):
        assert not cache.exists()
