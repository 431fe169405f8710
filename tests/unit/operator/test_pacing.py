"""Figures are written every ten seconds at most; what people wait for, at once."""

from __future__ import annotations

import pytest
from tests.unit.operator.objects import EARLIER, report

from reasoning_contract.job_status import Condition, Status
from reasoning_operator.model import Json, Key
from reasoning_operator.pacing import PROGRESS_SECONDS, Pace

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
