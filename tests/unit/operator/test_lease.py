"""The Lease, where the API server fails; tests/cluster has two operators and a real one."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import aiohttp
import pytest

from reasoning_operator import lease
from reasoning_operator.client import ApiError, Cluster
from reasoning_operator.lease import Lease


class FakeApiServer:
    """Ends the first connection without an answer, as an API server that is restarted; knows no Lease."""

    def __init__(self) -> None:
        self.asked = 0
        self.created: list[Any] = []

    async def get(self, path: str) -> None:
        self.asked += 1
        if self.asked == 1:
            raise aiohttp.ServerDisconnectedError

    async def create(self, body: Any) -> None:
        self.created.append(body)


class SharedLease:
    """An API server with one Lease, whose version rises with each write."""

    def __init__(self) -> None:
        self.lease: Any = None
        self.reads = 0

    async def get(self, path: str) -> Any:
        self.reads += 1
        return self.lease

    async def create(self, body: Any) -> Any:
        return self._keep(body, 1)

    async def replace(self, path: str, body: Any) -> Any:
        if body["metadata"]["resourceVersion"] != self.lease["metadata"]["resourceVersion"]:
            raise ApiError(409, "another version")
        return self._keep(body, int(body["metadata"]["resourceVersion"]) + 1)

    def _keep(self, body: Any, version: int) -> Any:
        self.lease = body | {"metadata": body["metadata"] | {"resourceVersion": str(version)}}
        return self.lease


def test_lease_that_is_held_is_renewed_without_being_read() -> None:
    api = SharedLease()
    mine = Lease(cast(Cluster, api), "system", "reasoning-operator", "me")
    for _ in range(3):
        asyncio.run(mine.acquire())
    assert (api.reads, api.lease["metadata"]["resourceVersion"]) == (1, "3")


def test_lease_that_another_took_is_read_again_and_left_to_it() -> None:
    api = SharedLease()
    mine = Lease(cast(Cluster, api), "system", "reasoning-operator", "me")
    asyncio.run(mine.acquire())
    api._keep(api.lease | {"spec": api.lease["spec"] | {"holderIdentity": "other"}}, 7)
    assert asyncio.run(mine._try()) is False
    assert asyncio.run(mine._try()) is False
    assert api.lease["spec"]["holderIdentity"] == "other"


def test_lost_connection_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "RETRY_SECONDS", 0)
    api = FakeApiServer()
    asyncio.run(Lease(cast(Cluster, api), "system", "reasoning-operator", "me").acquire())
    assert [each["spec"]["holderIdentity"] for each in api.created] == ["me"]
