"""In which order a plan is carried out. The API server is a fake."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest
from tests.unit.operator.objects import live, training_job

from reasoning_operator.apply import TakenError, apply
from reasoning_operator.children import config
from reasoning_operator.client import ApiError, Cluster
from reasoning_operator.model import Json
from reasoning_operator.plan import Plan

BATCH_JOB = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "sums-train", "namespace": "team"}}


class FakeCluster:
    """Takes note of what is asked for, and refuses what it is told to."""

    def __init__(self, refuses: str = "", status: int = 403) -> None:
        self.asked: list[str] = []
        self.patches: list[Json] = []
        self._refuses, self._status = refuses, status

    async def _ask(self, what: str) -> None:
        if what == self._refuses:
            raise ApiError(self._status, "no")
        self.asked.append(what)

    async def create(self, child: Json) -> Json:
        await self._ask(f"create {child['kind']}")
        return child

    async def patch(self, path: str, patch: Json) -> Json:
        await self._ask("patch")
        self.patches.append(patch)
        return patch


def ignore(_: Json) -> None:
    """Take no note of what was made."""


PLAN = Plan(create=(BATCH_JOB,), patch=((live(config.build(training_job())), {"data": {}}),))


def test_job_is_made_when_its_spec_is_as_it_should_be() -> None:
    cluster: Any = FakeCluster()
    made: list[Json] = []
    asyncio.run(apply(cast(Cluster, cluster), PLAN, made.append))
    assert cluster.asked == ["patch", "create Job"]
    assert made == [*cluster.patches, BATCH_JOB]


def test_patch_is_for_the_object_as_it_was_seen() -> None:
    cluster: Any = FakeCluster()
    asyncio.run(apply(cast(Cluster, cluster), PLAN, ignore))
    assert cluster.patches[0]["metadata"] == {"uid": "uid-of-ConfigMap", "resourceVersion": "7"}


def test_name_that_is_taken_is_told_with_the_child() -> None:
    cluster: Any = FakeCluster(refuses="create Job", status=409)
    with pytest.raises(TakenError) as taken:
        asyncio.run(apply(cast(Cluster, cluster), PLAN, ignore))
    assert taken.value.child is BATCH_JOB


def test_job_is_not_made_with_a_spec_that_could_not_be_changed() -> None:
    cluster: Any = FakeCluster(refuses="patch")
    with pytest.raises(ApiError):
        asyncio.run(apply(cast(Cluster, cluster), PLAN, ignore))
    assert cluster.asked == []
