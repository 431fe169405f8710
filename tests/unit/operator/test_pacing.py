"""Figures are written every ten seconds at most; what people wait for, at once."""

from __future__ import annotations

import pytest
from tests.unit.operator.objects import EARLIER, report

from reasoning_contract.job_status import Condition, Status
from reasoning_operator.model import Json, Key
from reasoning_operator.pacing import LONGEST_RETRY_SECONDS, PROGRESS_SECONDS, SHORTEST_RETRY_SECONDS, Pace, Patience

KEY, OTHER = Key("team", "sums"), Key("team", "other")


def status(step: int = 1, reason: str = "PodRunning", message: str = "", **fields: object) -> Status:
    running: Json = {"type": "Running", "status": "True", "reason": reason, "message": message}
    condition = Condition.model_validate(running | {"lastTransitionTime": EARLIER})
    base: Json = {"phase": "Running", "stage": "reinforce", "progress": report(step).progress}
    return Status(**(base | {"conditions": [condition]} | fields))


@pytest.fixture
def now() -> list[float]:
    return [100.0]


@pytest.fixture
def pace(now: list[float]) -> Pace:
    pace = Pace(lambda: now[0])
    pace.wrote(KEY)
    return pace


@pytest.mark.parametrize("figures", [{"step": 2}, {"gpu_hours": 0.5}, {"message": "rewards spread by 0.31"}])
def test_figures_wait(pace: Pace, now: list[float], figures: Json) -> None:
    now[0] += 4
    assert pace.wait(KEY, status(), status(**figures)) == PROGRESS_SECONDS - 4
    now[0] += PROGRESS_SECONDS
    assert pace.wait(KEY, status(), status(**figures)) == 0


@pytest.mark.parametrize("news", [{"phase": "Failed"}, {"stage": "export"}, {"attempts": 2}, {"reason": "Interrupted"}])
def test_what_people_wait_for_is_written_at_once(pace: Pace, news: Json) -> None:
    assert pace.wait(KEY, status(), status(**news)) == 0


def test_each_job_has_its_own_pace_and_the_first_write_is_at_once(pace: Pace) -> None:
    assert pace.wait(OTHER, status(), status(2)) == 0
    pace.forget(KEY)
    assert pace.wait(KEY, status(), status(2)) == 0


def test_what_nobody_tells_is_looked_at_less_and_less_often() -> None:
    now = [100.0]
    patience, looks = Patience(lambda: now[0]), []
    while now[0] < 3700:
        looks.append(patience.pause(KEY, "ConfigMapNotFound"))
        now[0] += looks[-1]
    assert looks[:6] == [5, 5, 10, 20, 40, 80]
    assert (looks[0], looks[-1], len(looks)) == (SHORTEST_RETRY_SECONDS, LONGEST_RETRY_SECONDS, 18)
    assert patience.pause(OTHER, "ConfigMapNotFound") == SHORTEST_RETRY_SECONDS
    assert patience.pause(KEY, "NameConflict") == SHORTEST_RETRY_SECONDS, "another cause is new"


def test_look_that_news_brought_does_not_lengthen_the_pause() -> None:
    now = [0.0]
    patience = Patience(lambda: now[0])
    assert {patience.pause(KEY, "NameConflict") for _ in range(9)} == {SHORTEST_RETRY_SECONDS}
    now[0] = 60
    assert patience.pause(KEY, "NameConflict") == 60
    patience.forget(KEY)
    assert patience.pause(KEY, "NameConflict") == SHORTEST_RETRY_SECONDS
