"""Signals: the first asks for an orderly end, a second Ctrl-C for one at once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import reasoning_trainer
from reasoning_contract.exit_codes import ExitCode
from reasoning_trainer.errors import TrainerError
from reasoning_trainer.interruption import Interruption


@pytest.fixture
def heard() -> Iterator[tuple[Interruption, list[str]]]:
    """An interruption that is installed, and what it called, in order."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    calls: list[str] = []
    interruption = Interruption(lambda: calls.append("abandoned"), calls.append)
    interruption.install()
    yield interruption, calls
    for number, handler in before.items():
        signal.signal(number, handler)


def test_the_first_signal_asks_and_tells(heard: tuple[Interruption, list[str]]) -> None:
    interruption, calls = heard
    interruption.check()
    signal.raise_signal(signal.SIGINT)
    assert interruption.requested
    assert len(calls) == 1
    assert "Ctrl-C again stops at once" in calls[0]
    with pytest.raises(TrainerError):
        interruption.check()


def test_a_second_ctrl_c_does_not_wait(heard: tuple[Interruption, list[str]]) -> None:
    _, calls = heard
    signal.raise_signal(signal.SIGINT)
    signal.raise_signal(signal.SIGINT)
    assert calls[1:] == ["abandoned"]


def test_a_second_sigterm_changes_nothing(heard: tuple[Interruption, list[str]]) -> None:
    _, calls = heard
    signal.raise_signal(signal.SIGTERM)
    signal.raise_signal(signal.SIGTERM)
    assert len(calls) == 1


def test_sigterm_is_heard_before_anything_is_imported(tmp_path: Path) -> None:
    """As process 1 of a container a process without a handler would not hear it at all."""
    (tmp_path / "rich.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGTERM)\n")
    packages = os.pathsep.join([str(tmp_path), str(Path(reasoning_trainer.__file__).parents[1])])
    command = [sys.executable, "-m", "reasoning_trainer", "check", "job.yaml"]
    done = subprocess.run(command, env=os.environ | {"PYTHONPATH": packages}, timeout=120, check=False)
    assert done.returncode == ExitCode.INTERRUPTED
