"""The Lease, where the API server fails; tests/cluster has two operators and a real one."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import aiohttp
import pytest

from reasoning_operator import lease
from reasoning_operator.client import Cluster
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


def test_lost_connection_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "RETRY_SECONDS", 0)
    api = FakeApiServer()
    asyncio.run(Lease(cast(Cluster, api), "system", "reasoning-operator", "me").acquire())
    assert [each["spec"]["holderIdentity"] for each in api.created] == ["me"]
