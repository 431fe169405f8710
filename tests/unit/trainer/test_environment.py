from __future__ import annotations

import os
from pathlib import Path

import pytest

from reasoning_trainer.environment import cpus

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
