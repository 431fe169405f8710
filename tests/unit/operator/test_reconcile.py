"""When a job is looked at again. What reads and writes the cluster is a fake."""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar, cast

import pytest
from tests.unit.operator.objects import SETTINGS, rtj

from reasoning_operator import reconcile
from reasoning_operator.client import ApiError
from reasoning_operator.model import Json, Key, Observed
from reasoning_operator.pacing import SHORTEST_RETRY_SECONDS


class FakePoller:
    """Has heard nothing."""

    reports: ClassVar[dict[str, Any]] = {}
    silent: ClassVar[dict[str, Any]] = {}

    def follow(self, *arguments: Any) -> None:
        """Take note of nothing."""


class FakeMetrics:
    """Shows nothing."""

    def show(self, *arguments: Any) -> None:
        """Show nothing."""


def test_job_that_is_being_deleted_is_forgotten_and_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its claim may go before it: by foreground deletion with storage.retain false."""
    forgotten: list[Key] = []
    job = rtj({"phase": "Running", "startTime": "2026-05-04T11:00:00Z"}, storage={"retain": False})
    job["metadata"]["deletionTimestamp"] = "2026-05-04T12:00:00Z"

    async def observe(*arguments: Any) -> Observed:
        return Observed(job, claim=None)

    monkeypatch.setattr(reconcile, "observe", observe)
    poller = FakePoller()
    poller.forget = metrics = forgotten.append  # type: ignore[attr-defined]
    parts = (None, None, SETTINGS, poller, type("Metrics", (), {"forget": staticmethod(metrics)}))
    assert asyncio.run(reconcile.Reconciler(*cast(Any, parts)).reconcile(Key("team", "sums"))) is None
    assert forgotten == [Key("team", "sums")] * 2


@pytest.mark.parametrize("suspend", [False, True])
def test_child_that_is_refused_is_tried_again(monkeypatch: pytest.MonkeyPatch, suspend: bool) -> None:
    written = []

    async def observe(*arguments: Any) -> Observed:
        return Observed(rtj(suspend=suspend), inputs={})

    async def apply(*arguments: Any) -> None:
        raise ApiError(403, "exceeded quota")

    def to_write(job: Json, new: Any) -> None:
        written.append(new)

    async def take_in(*arguments: Any) -> Json:
        return rtj(suspend=suspend)

    for fake in (observe, apply, to_write, take_in):
        monkeypatch.setattr(reconcile, fake.__name__, fake)
    parts = (None, None, SETTINGS, FakePoller(), FakeMetrics())
    reconciler = reconcile.Reconciler(*cast(Any, parts))
    assert asyncio.run(reconciler.reconcile(Key("team", "sums"))) == SHORTEST_RETRY_SECONDS
    assert (written[0].phase, written[0].failure.reason) == ("Pending", "ChildRefused")
