"""What goes over the wire, to a server that is a fake: listings, watches, reports and deletions."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from reasoning_operator.client import ApiError, Cluster

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def ask(handler: Handler, scenario: Callable[[Cluster], Awaitable[Any]]) -> Any:
    """Return what a client gets from a server that answers everything alike."""

    async def main() -> Any:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", handler)
        async with TestServer(app) as server, aiohttp.ClientSession() as session, asyncio.timeout(10):
            return await scenario(Cluster(session, str(server.make_url("")).rstrip("/")))

    return asyncio.run(main())


async def watched(cluster: Cluster, quiet: float = 5) -> list[bytes]:
    return [line async for line in cluster.lines("/api/v1/pods", {"watch": "true"}, quiet)]


def test_lines_of_a_watch_come_whole_however_they_are_cut() -> None:
    async def stream(request: web.Request) -> web.StreamResponse:
        assert request.query["watch"] == "true"
        response = web.StreamResponse()
        await response.prepare(request)
        for piece in (b'{"a"', b':1}\n{"b":2}\n{', b'"c":3}\n'):
            await response.write(piece)
            await asyncio.sleep(0)
        return response

    assert ask(stream, watched) == [b'{"a":1}', b'{"b":2}', b'{"c":3}']


def test_line_may_be_as_long_as_an_object() -> None:
    async def stream(_: web.Request) -> web.StreamResponse:
        return web.Response(body=b"x" * 3_000_000 + b"\n")

    assert [len(line) for line in ask(stream, watched)] == [3_000_000]


def test_watch_that_falls_silent_ends() -> None:
    async def silent(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"1\n")
        await asyncio.sleep(3600)
        return response

    with pytest.raises(TimeoutError):
        ask(silent, lambda cluster: watched(cluster, 0.05))


def test_watch_that_is_answered_is_heard_though_nothing_happens() -> None:
    async def silence(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await asyncio.Event().wait()
        return response

    async def scenario(cluster: Cluster) -> int:
        beats: list[None] = []
        with pytest.raises(TimeoutError):
            async for _ in cluster.lines("/api/v1/events", {"watch": "true"}, 0.2, lambda: beats.append(None)):
                pass
        return len(beats)

    assert ask(silence, scenario) == 1


def test_watch_that_is_refused_says_why() -> None:
    async def gone(_: web.Request) -> web.StreamResponse:
        return web.json_response({"message": "too old"}, status=410)

    with pytest.raises(ApiError, match="too old") as error:
        ask(gone, watched)
    assert error.value.status == 410


@pytest.mark.parametrize(("names_only", "kind"), [(False, "application/json"), (True, "PartialObjectMetadataList")])
def test_listing_asks_for_what_is_needed(names_only: bool, kind: str) -> None:
    async def echo(request: web.Request) -> web.StreamResponse:
        return web.json_response({"accept": request.headers["Accept"], "limit": request.query["limit"]})

    answer = ask(echo, lambda cluster: cluster.page("/api/v1/pods", {"limit": "5"}, names_only=names_only))
    assert kind in answer["accept"]
    assert answer["limit"] == "5"


@pytest.mark.parametrize("empty", [{}, {"items": None}, {"items": []}], ids=str)
def test_listing_of_nothing_has_no_items_however_that_is_written(empty: dict[str, Any]) -> None:
    async def nothing(_: web.Request) -> web.StreamResponse:
        return web.json_response({"metadata": {"resourceVersion": "7"}} | empty)

    assert ask(nothing, lambda cluster: cluster.list("/api/v1/pods", {})) == []
    page = ask(nothing, lambda cluster: cluster.page("/api/v1/pods", {}, names_only=True))
    assert (page["items"], page["metadata"]["resourceVersion"]) == ([], "7")


def test_report_that_is_too_long_is_not_read() -> None:
    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b"x" * 1000)

    with pytest.raises(ConnectionError, match="longer than 5000 bytes"):
        ask(endless, lambda cluster: cluster.read("/progress", 5, 5000))


def test_report_through_the_api_server_is_read() -> None:
    async def report(_: web.Request) -> web.StreamResponse:
        return web.Response(body=b"{}")

    assert ask(report, lambda cluster: cluster.read("/progress", 5, 5000)) == b"{}"

    async def away(_: web.Request) -> web.StreamResponse:
        return web.Response(status=503, body=b"no endpoints")

    with pytest.raises(ApiError, match="no endpoints"):
        ask(away, lambda cluster: cluster.read("/progress", 5, 5000))


def test_answer_that_leads_elsewhere_is_not_followed() -> None:
    async def elsewhere(_: web.Request) -> web.StreamResponse:
        return web.json_response({"message": "over there"}, status=302, headers={"Location": "/elsewhere"})

    with pytest.raises(ApiError, match="302: over there"):
        ask(elsewhere, lambda cluster: cluster.get("/api/v1/pods"))


@pytest.mark.parametrize("status", [200, 404])
def test_deletion_is_of_the_object_as_it_was_seen(status: int) -> None:
    asked: list[Any] = []

    async def delete(request: web.Request) -> web.StreamResponse:
        asked.append((request.method, request.path, json.loads(await request.read())))
        return web.json_response({"message": "not found"}, status=status)

    meta = {"namespace": "team", "name": "sums-train", "uid": "u", "resourceVersion": "7"}
    ask(delete, lambda cluster: cluster.delete({"apiVersion": "batch/v1", "kind": "Job", "metadata": meta}))
    ((method, path, body),) = asked
    assert (method, path) == ("DELETE", "/apis/batch/v1/namespaces/team/jobs/sums-train")
    assert body["preconditions"] == {"uid": "u", "resourceVersion": "7"}
