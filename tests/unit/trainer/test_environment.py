from __future__ import annotations

import os
from pathlib import Path

import pytest

from reasoning_trainer.environment import CACHES, PRIVATE, cpus, folders

ALLOWED = len(os.sched_getaffinity(0))


@pytest.mark.parametrize(
    ("text", "expected"),
    [("max 100000", ALLOWED), ("50000 100000", 1), ("100000 100000", 1), ("150000 100000", min(2, ALLOWED))],
)
def test_threads_fit_the_limit_of_the_pod(tmp_path: Path, text: str, expected: int) -> None:
    (tmp_path / "cpu.max").write_text(text)
    assert cpus(tmp_path / "cpu.max") == expected


def test_without_control_groups_all_allowed_cpus_count(tmp_path: Path) -> None:
    assert cpus(tmp_path / "cpu.max") == ALLOWED


def test_caches_lie_in_the_folder_that_processes_share() -> None:
    chosen = folders({"XDG_CACHE_HOME": "/cache"})
    assert {name for name, path in chosen.items() if path.startswith("/cache/")} == set(CACHES)
    assert all(Path(path).is_absolute() for path in chosen.values())


def test_without_a_shared_cache_they_lie_in_the_users() -> None:
    assert folders({})["HF_HOME"] == str(Path.home() / ".cache/huggingface")
    assert folders({"XDG_CACHE_HOME": ""}) == folders({})


def test_what_libraries_write_unsafely_is_not_shared() -> None:
    chosen = folders({"XDG_CACHE_HOME": "/cache"})
    assert all(str(os.getpid()) in chosen[name] for name in PRIVATE)
    assert "UNSLOTH_COMPILE_LOCATION" in PRIVATE
