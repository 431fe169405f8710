"""The Makefile's targets, in a state folder whose path has a space."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = ["claims/parity", "prometheus/.done", "monitoring/.done"]


@pytest.fixture
def plan(tmp_path):
    """What make would do, as it says it; the environments are taken to be there."""

    def plan(*targets: str) -> str:
        options = ["-n", "-o", ".venv/.done", "-o", ".venv-trainer/.done", f"STATE_DIR={tmp_path / 'a state'}"]
        command = ["env", "-u", "MAKEFLAGS", "-u", "MAKELEVEL", "make", *options, *targets]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    return plan


@pytest.mark.parametrize("file", FILES)
def test_a_file_of_the_state_folder_is_made_once(plan, tmp_path, file):
    target = tmp_path / "a state" / file
    assert f'"{target.parent if target.name == ".done" else target}' in plan(str(target))
    target.parent.mkdir(parents=True)
    target.touch()
    assert "up to date" in plan(str(target))


@pytest.mark.parametrize("target", ["demo", "algorithms", "test-watch", "test-monitoring", "docs", "bench", "clean"])
def test_no_word_of_a_command_ends_at_the_space(plan, tmp_path, target):
    for line in plan(target).splitlines():
        before, found, _ = line.partition(f"{tmp_path}/a state")
        assert not found or before.count('"') % 2 == 1 or "=" in before.split()[-1], line
