"""The poller: what pods say is kept, what they do not say is no error."""

from __future__ import annotations

import asyncio
import json
import logging

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from tests.unit.operator.objects import ended_pod, report, running_pod

from reasoning_operator import progress
from reasoning_operator.model import Json, Key
from reasoning_operator.progress import ProgressPoller, straight

KEY = Key("team", "sums")
UID = "uid-of-sums-train-a"


class FakePods:
    """Answers in the place of pods."""

    def __init__(self, answer: bytes | Exception) -> None:
        self.answer = answer
        self.asked: list[str] = []

    async def __call__(self, pod: Json) -> bytes:
        self.asked.append(pod["metadata"]["name"])
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def document(step: int) -> bytes:
    return report(step).model_dump_json(by_alias=True).encode()


def poller(pods: FakePods) -> tuple[ProgressPoller, list[Key]]:
    changed: list[Key] = []
    return ProgressPoller(pods, 5, changed.append), changed


def test_news_are_kept_and_told_once() -> None:
    pods = FakePods(document(1))
    polling, changed = poller(pods)
    polling.follow(KEY, [running_pod()])
    asyncio.run(polling.poll())
    asyncio.run(polling.poll())
    assert changed == [KEY]
    pods.answer = document(2)
    asyncio.run(polling.poll())
    assert changed == [KEY, KEY]
    assert polling.reports[UID].progress.step == 2


def test_pods_that_are_over_are_not_asked_and_their_last_report_is_kept() -> None:
    pods = FakePods(document(1))
    polling, _ = poller(pods)
    polling.follow(KEY, [running_pod()])
    asyncio.run(polling.poll())
    polling.follow(KEY, [ended_pod(0)])
    asyncio.run(polling.poll())
    assert pods.asked == ["sums-train-a"]
    assert UID in polling.reports


def test_pods_that_are_gone_are_forgotten() -> None:
    polling, _ = poller(FakePods(document(1)))
    polling.follow(KEY, [running_pod()])
    asyncio.run(polling.poll())
    polling.forget(KEY)
    assert polling.reports == {}


@pytest.mark.parametrize("error", [ConnectionRefusedError(), TimeoutError()])
def test_pod_that_does_not_serve_yet_is_no_error(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    polling, changed = poller(FakePods(error))
    polling.follow(KEY, [running_pod()])
    with caplog.at_level(logging.INFO):
        asyncio.run(polling.poll())
    assert (changed, polling.reports, caplog.records) == ([], {}, [])


def test_report_of_a_newer_trainer_is_read_without_what_is_new() -> None:
    news = json.loads(document(1)) | {"fieldOfTheFuture": 1}
    news["progress"]["fieldOfTheFuture"] = 1
    polling, _ = poller(FakePods(json.dumps(news).encode()))
    polling.follow(KEY, [running_pod()])
    asyncio.run(polling.poll())
    assert polling.reports[UID] == report(1)


async def _ask_straight(monkeypatch: pytest.MonkeyPatch, address: str | None, answer: web.Response) -> bytes:
    async def handle(_: web.Request) -> web.Response:
        return answer

    async def elsewhere(_: web.Request) -> web.Response:
        return web.Response(body=document(1))

    app = web.Application()
    app.add_routes([web.get("/progress", handle), web.get("/elsewhere", elsewhere)])
    async with TestServer(app) as server, aiohttp.ClientSession() as session:
        monkeypatch.setattr(progress, "PORT", server.port)
        return await straight(session)(running_pod() | {"status": {"podIP": address}})


def test_pod_is_asked_at_its_address(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = web.Response(body=document(1))
    assert asyncio.run(_ask_straight(monkeypatch, "127.0.0.1", answer)) == document(1)


@pytest.mark.parametrize(
    ("address", "answer", "says"),
    [
        (None, web.Response(), "no address"),
        ("127.0.0.1", web.Response(status=302, headers={"Location": "/elsewhere"}), "302"),
        ("127.0.0.1", web.Response(body=b"x" * 300_000), "longer than"),
    ],
)
def test_answer_of_a_pod_is_not_trusted(
    monkeypatch: pytest.MonkeyPatch, address: str | None, answer: web.Response, says: str
) -> None:
    with pytest.raises(ConnectionError, match=says):
        asyncio.run(_ask_straight(monkeypatch, address, answer))


def test_report_of_another_jobs_pod_is_not_taken() -> None:
    """Whose pod has the address of one that is gone."""
    pods = FakePods(report(1, jobUid="other").model_dump_json(by_alias=True).encode())
    polling, changed = poller(pods)
    pod = running_pod()
    pod["metadata"]["labels"] = {"reasoning-operator.io/job-uid": "mine"}
    polling.follow(KEY, [pod])
    asyncio.run(polling.poll())
    assert (changed, polling.reports) == ([], {})
    pods.answer = report(1, jobUid="mine").model_dump_json(by_alias=True).encode()
    asyncio.run(polling.poll())
    assert (changed, list(polling.reports)) == ([KEY], [UID])


def test_report_that_cannot_be_read_is_told_of_once(caplog: pytest.LogCaptureFixture) -> None:
    polling, changed = poller(FakePods(b'{"schemaVersion": 9}'))
    polling.follow(KEY, [running_pod()])
    asyncio.run(polling.poll())
    asyncio.run(polling.poll())
    assert changed == [KEY]
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert polling.silent[UID].reason == "NotUnderstood"
    assert "cannot be read (schemaVersion: Input should be 1)" in polling.silent[UID].message


def test_pod_that_is_silent_for_long_is_told_of_once_until_it_is_heard() -> None:
    pods, now, changed = FakePods(ConnectionRefusedError("refused")), [0.0], []
    polling = ProgressPoller(pods, 5, changed.append, lambda: now[0])
    polling.follow(KEY, [running_pod()])
    for now[0] in (0, progress.PATIENCE_SECONDS - 1):
        asyncio.run(polling.poll())
    assert (changed, polling.silent) == ([], {})
    now[0] = progress.PATIENCE_SECONDS
    asyncio.run(polling.poll())
    pods.answer = TimeoutError()
    asyncio.run(polling.poll())
    assert changed == [KEY]
    assert "is not heard (refused); let the operator reach port 9464" in polling.silent[UID].told
    pods.answer = b"{}"
    asyncio.run(polling.poll())
    assert (changed, polling.silent[UID].reason) == ([KEY] * 2, "NotUnderstood")
    pods.answer = TimeoutError()
    asyncio.run(polling.poll())
    assert (changed, polling.silent[UID].reason) == ([KEY] * 2, "NotUnderstood")
    pods.answer = document(1)
    asyncio.run(polling.poll())
    assert (changed, polling.silent) == ([KEY] * 3, {})
    pods.answer = TimeoutError()
    now[0] += progress.PATIENCE_SECONDS
    asyncio.run(polling.poll())
    assert polling.silent == {}  # it was heard a moment ago


def test_silence_of_a_pod_that_is_gone_is_forgotten() -> None:
    polling, _ = poller(FakePods(b"{}"))
    polling.follow(KEY, [running_pod()])
    asyncio.run(polling.poll())
    assert list(polling.silent) == [UID]
    polling.forget(KEY)
    assert polling.silent == {}


@pytest.mark.parametrize("answer", [document(1), b"{}", TimeoutError()], ids=["report", "nonsense", "nothing"])
def test_pod_that_goes_while_it_is_asked_leaves_nothing(answer: bytes | Exception) -> None:
    changed: list[Key] = []

    async def go(pod: Json) -> bytes:
        polling.forget(KEY)
        return await FakePods(answer)(pod)

    polling = ProgressPoller(go, 5, changed.append)
    polling.follow(KEY, [running_pod()])
    asyncio.run(polling.poll())
    assert (changed, polling.reports, polling.silent, polling._unheard_since) == ([], {}, {}, {})
