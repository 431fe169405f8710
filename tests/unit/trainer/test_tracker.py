from __future__ import annotations

import pytest

from reasoning_contract.progress import Progress
from reasoning_shared.words import duration
from reasoning_trainer.reporting import tracker as tracking
from reasoning_trainer.reporting.tracker import Phase, Tracker

PHASES = [
    Phase("load", "load", 10),
    Phase("reinforce", "reinforce", 80),
    Phase("export", "export", 10),
]


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def tracker(clock: Clock) -> Tracker:
    return Tracker(PHASES, clock=clock, gpus=2, gpu_seconds=100)


def test_percent_counts_expected_cost_over_all_phases(tracker: Tracker) -> None:
    tracker.finish("load")
    tracker.begin("reinforce", total=100)
    tracker.advance(50)
    status = tracker.progress().progress
    assert (status.percent, status.display, status.step, status.total_steps) == (50, "50% (50/100)", 50, 100)


def test_percent_is_100_only_at_the_end(tracker: Tracker) -> None:
    for phase in PHASES:
        assert tracker.progress().progress.percent < 100
        tracker.finish(phase.name)
    assert tracker.progress().progress.percent == 100


def test_the_end_is_published(clock: Clock) -> None:
    """Else a display would take the run for one that was cut off."""
    reports: list[Progress] = []
    tracker = Tracker(PHASES, clock=clock, publish=reports.append)
    for phase in PHASES:
        tracker.finish(phase.name)
    assert reports[-1].progress.percent == 100


def test_percent_never_goes_back(tracker: Tracker) -> None:
    tracker.finish("load")
    tracker.begin("reinforce", total=100)
    tracker.advance(90)
    before = tracker.progress().progress.percent
    tracker.plan([Phase("load", "load", 10), Phase("reinforce", "reinforce", 10), Phase("export", "export", 980)])
    assert tracker.progress().progress.percent == before


def test_time_left_is_steps_left_and_phases_left_at_this_pace(tracker: Tracker, clock: Clock) -> None:
    tracker.finish("load")
    tracker.begin("reinforce", total=100)
    for step in range(1, 51):
        clock.now += 4
        tracker.advance(step)
    status = tracker.progress().progress
    assert status.step_seconds == 4
    assert status.eta_seconds == 50 * 4 + 10 * (400 / 80)
    assert status.eta == "4m10s"


def test_a_resumed_stage_does_not_spoil_the_time_left(tracker: Tracker, clock: Clock) -> None:
    tracker.finish("load", earlier=True)
    tracker.begin("reinforce", total=100, done=90)
    assert tracker.progress().progress.eta_seconds is None
    clock.now += 2
    tracker.advance(91)
    assert tracker.progress().progress.eta_seconds == 9 * 2 + 10 * (200 / 80)


def test_one_slow_step_does_not_move_the_time_left(tracker: Tracker, clock: Clock) -> None:
    tracker.begin("reinforce", total=100)
    for step, seconds in enumerate([1, 1, 60, 1, 1], 1):
        clock.now += seconds
        tracker.advance(step)
    assert tracker.progress().progress.step_seconds == 1


def test_a_phase_without_steps_tells_no_pace(tracker: Tracker, clock: Clock) -> None:
    """Importing libraries takes its time, however short the training is."""
    tracker.begin("load")
    clock.now += 600
    tracker.finish("load")
    assert tracker.progress().progress.eta_seconds is None


def test_gpu_seconds_are_counted_over_attempts(tracker: Tracker, clock: Clock) -> None:
    clock.now = 30
    assert tracker.progress().gpu_seconds == 160


def test_report_changes_only_when_the_run_does(tracker: Tracker, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracking, "now", lambda: f"{clock.now:.0f}")
    tracker.begin("reinforce", total=100)
    first = tracker.progress()
    clock.now = 25
    assert tracker.progress() == first
    tracker.advance(1)
    second = tracker.progress()
    assert (second.progress.updated_at, second.gpu_seconds) == ("25", 150)
    clock.now = 50
    tracker.advance(1)
    assert tracker.progress() == second, "the same said again"


def test_gpu_time_is_told_by_the_minute_while_a_step_lasts(tracker: Tracker, clock: Clock) -> None:
    first = tracker.progress()
    told = []
    for clock.now in range(0, 200, 5):
        told.append(tracker.progress())
    assert sorted({report.gpu_seconds for report in told}) == [100, 220, 340, 460]
    assert {report.progress.updated_at for report in told} == {first.progress.updated_at}


def test_every_report_is_published(clock: Clock) -> None:
    reports: list[Progress] = []
    tracker = Tracker(PHASES, clock=clock, publish=reports.append, attempt=3)
    tracker.begin("load", "importing libraries")
    tracker.say("loading")
    tracker.report(resumed_from_step=5)
    assert [report.progress.detail for report in reports] == ["importing libraries", "loading", "loading"]
    assert (reports[-1].attempt, reports[-1].resumed_from_step, reports[-1].stage) == (3, 5, "load")


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0s"), (59.4, "59s"), (59.6, "1m00s"), (250, "4m10s"), (7500, "2h05m")]
)
def test_duration(seconds: float, text: str) -> None:
    assert duration(seconds) == text
