"""A fake in front of a real API server: what its watches tell comes late, twice, in another order or not at all."""

from __future__ import annotations

import asyncio
import json
import random
import threading
from collections import Counter
from pathlib import Path

import yaml
from aiohttp import web

from reasoning_operator.client import ApiError, Cluster
from reasoning_operator.credentials import from_kubeconfig

LOST, TWICE, LATE = 0.08, 0.15, 0.4
"""Shares of the news."""
LATEST_SECONDS = 1.5
EXPIRED = {"type": "ERROR", "object": {"kind": "Status", "code": 410, "message": "too old resource version"}}


class LyingProxy:
    """Hands everything on but the news of watches.

    News are lost as they are in clusters: the watch that lost some says soon that it is too old, and is begun anew.

    Parameters
    ----------
    kubeconfig
        Of the API server.
    seed
        Of the lies.

    Attributes
    ----------
    told
        How often each lie was told.
    """

    def __init__(self, kubeconfig: Path, seed: int) -> None:
        self._access = from_kubeconfig([kubeconfig])
        self._rng = random.Random(seed)
        self._honest: asyncio.Event
        self._loop = asyncio.new_event_loop()
        self._up = threading.Event()
        self._stop: asyncio.Event
        self._watches: set[asyncio.Task[None]] = set()
        self.told: Counter[str] = Counter()
        self.port = 0
        self._thread = threading.Thread(target=lambda: self._loop.run_until_complete(self._serve()), daemon=True)
        self._thread.start()
        assert self._up.wait(10), "the proxy does not start"

    def kubeconfig(self, path: Path) -> Path:
        """Write the kubeconfig of one who speaks to the proxy, and return where it is."""
        named = {"clusters": [{"name": "p", "cluster": {"server": f"http://127.0.0.1:{self.port}"}}]}
        context = {"contexts": [{"name": "p", "context": {"cluster": "p"}}], "current-context": "p"}
        path.write_text(yaml.safe_dump(named | context), encoding="utf-8")
        return path

    def be_honest(self) -> None:
        """Tell no more lies, and have every watch begin anew."""
        self._loop.call_soon_threadsafe(self._honest.set)

    def close(self) -> None:
        """End."""
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    async def _serve(self) -> None:
        self._honest, self._stop = asyncio.Event(), asyncio.Event()
        async with self._access.session() as session:
            self._session, self._cluster = session, Cluster(session, self._access.server)
            app = web.Application(client_max_size=4 << 20)
            app.router.add_route("*", "/{path:.*}", self._answer)
            runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=1)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            self.port = runner.addresses[0][1]
            self._up.set()
            await self._stop.wait()
            for watch in self._watches:
                watch.cancel()
            await asyncio.gather(*self._watches, return_exceptions=True)
            await runner.cleanup()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        if request.query.get("watch") == "true":
            return await self._watch(request)
        kept = {name: request.headers[name] for name in ("Accept", "Content-Type") if name in request.headers}
        where, body = f"{self._access.server}{request.path_qs}", await request.read() or None
        async with self._session.request(request.method, where, data=body, headers=kept) as answer:
            data = await answer.read()
        return web.Response(body=data, status=answer.status, headers={"Content-Type": answer.headers["Content-Type"]})

    async def _watch(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        telling = asyncio.create_task(self._tell(request, response))
        self._watches.add(telling)
        telling.add_done_callback(self._watches.discard)
        ended = {telling} if self._honest.is_set() else {telling, asyncio.create_task(self._honest.wait())}
        try:
            await asyncio.wait(ended, return_when=asyncio.FIRST_COMPLETED)
            if not telling.done():
                await _write(response, json.dumps(EXPIRED).encode())
        finally:
            for each in ended:
                each.cancel()
            await asyncio.gather(*ended, return_exceptions=True)  # either side may be gone
        return response

    async def _tell(self, request: web.Request, response: web.StreamResponse) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                async for line in self._cluster.lines(request.path, request.query, 600):
                    if not await self._pass_on(line, response, group):
                        await asyncio.sleep(self._rng.uniform(0, LATEST_SECONDS))
                        await _write(response, json.dumps(EXPIRED).encode())
                        return
        except* ApiError as refused:
            error = refused.exceptions[0]
            status = {"code": getattr(error, "status", 500), "message": str(error)}
            await _write(response, json.dumps(EXPIRED | {"object": EXPIRED["object"] | status}).encode())

    async def _pass_on(self, line: bytes, response: web.StreamResponse, group: asyncio.TaskGroup) -> bool:
        """Tell some news somehow; False if they are lost."""
        if self._honest.is_set() or b'"BOOKMARK"' in line[:40]:
            await _write(response, line)
            return True
        if self._rng.random() < LOST:
            self.told["lost"] += 1
            return False
        copies = 1 + (self._rng.random() < TWICE)
        self.told["twice"] += copies - 1
        for _ in range(copies):
            late = self._rng.random() < LATE
            self.told["late"] += late
            pause = self._rng.uniform(0, LATEST_SECONDS) if late else 0.0
            group.create_task(_write(response, line, pause))
        return True


async def _write(response: web.StreamResponse, line: bytes, pause: float = 0.0) -> None:
    await asyncio.sleep(pause)
    await response.write(line + b"\n")
