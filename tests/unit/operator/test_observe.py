"""What is asked of the API server; tests/cluster reads from a real one."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest
from tests.unit.operator.objects import SETTINGS, batch_job, rtj, training_job

from reasoning_operator.children import training_job as batch
from reasoning_operator.client import Cluster
from reasoning_operator.model import Json, Key
from reasoning_operator.observe import observe


class FakeApiServer:
    """Has a job and its Job, and counts what it is asked for."""

    def __init__(self, phase: str) -> None:
        job, made = rtj({"phase": phase}), batch_job(batch.build(training_job(), SETTINGS), "Complete")
        self._things = {"sums": job, "sums-train": made}
        self.requests = 0

    async def get(self, path: str) -> Json | None:
        self.requests += 1
        return None if "networkpolicies" in path else self._things.get(path.rsplit("/", 1)[-1])

    async def list(self, path: str, query: Json) -> list[Json]:
        self.requests += 1
        return []


@pytest.mark.parametrize(("phase", "requests"), [("Running", 6), ("Succeeded", 2), ("Failed", 2)])
def test_finished_job_costs_two_requests(phase: str, requests: int) -> None:
    api = FakeApiServer(phase)
    observed = asyncio.run(observe(cast(Cluster, api), Key("team", "sums"), {}, {}))
    assert observed
    assert observed.owns(observed.batch_job)
    assert api.requests == requests
