"""Signals: the first asks for an orderly end, a second Ctrl-C for one at once."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

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
