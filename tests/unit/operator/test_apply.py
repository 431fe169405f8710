"""In which order a plan is carried out. The API server is a fake."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest
from tests.unit.operator.objects import live, training_job

from reasoning_operator.apply import apply
from reasoning_operator.children import config
from reasoning_operator.client import ApiError, Cluster
from reasoning_operator.model import Json
from reasoning_operator.plan import Plan

BATCH_JOB = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "sums-train", "namespace": "team"}}


class FakeCluster:
    """Takes note of what is asked for, and refuses what it is told to."""

    def __init__(self, refuses: str = "") -> None:
        self.asked: list[str] = []
        self._refuses = refuses

    async def _ask(self, what: str) -> None:
        if what == self._refuses:
            raise ApiError(403, "no")
        self.asked.append(what)

    async def create(self, child: Json) -> None:
        await self._ask(f"create {child['kind']}")

    async def patch(self, path: str, patch: Json) -> None:
        await self._ask("patch")


PLAN = Plan(create=(BATCH_JOB,), patch=((live(config.build(training_job())), {"data": {}}),))


def test_job_is_made_when_its_spec_is_as_it_should_be() -> None:
    cluster: Any = FakeCluster()
    asyncio.run(apply(cast(Cluster, cluster), PLAN))
    assert cluster.asked == ["patch", "create Job"]


def test_job_is_not_made_with_a_spec_that_could_not_be_changed() -> None:
    cluster: Any = FakeCluster(refuses="patch")
    with pytest.raises(ApiError):
        asyncio.run(apply(cast(Cluster, cluster), PLAN))
    assert cluster.asked == []
