"""Listing and watching: what is there, what happens, what was missed, and who still lives. The API server is a fake."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, TypeAlias, cast

import pytest
from tests.unit.operator.objects import rtj
from tests.unit.operator.test_store import thing

from reasoning_operator import watches
from reasoning_operator.client import ApiError, Cluster
from reasoning_operator.kinds import CONFIG_MAP, EVENT, TRAINING_JOB
from reasoning_operator.model import Json, Key
from reasoning_operator.store import Store
from reasoning_operator.watches import PATIENCE_SECONDS, Vitals, Watches, sources

News: TypeAlias = Json | Exception


class FakeApi:
    """Lists ConfigMaps page by page, and plays one script after another to who watches them."""

    def __init__(self, lists: list[list[Json]], scripts: list[list[News]]) -> None:
        self._lists, self._scripts = lists, scripts
        self.asked: list[Mapping[str, str]] = []
        self.done = asyncio.Event()

    async def page(self, path: str, query: Mapping[str, str], *, names_only: bool = False) -> Json:
        if "configmaps" not in path:
            return {"metadata": {"resourceVersion": "1"}, "items": []}
        items = self._lists[0]
        start = int(query.get("continue", 0))
        more = {"continue": str(start + 1)} if start + 1 < len(items) else {}
        if not more:
            self._lists.pop(0)
        return {"metadata": {"resourceVersion": "100", **more}, "items": items[start : start + 1]}

    async def lines(
        self, path: str, query: Mapping[str, str], quiet_seconds: float, opened: Callable[[], None]
    ) -> AsyncIterator[bytes]:
        opened()
        if "configmaps" in path:
            self.asked.append(dict(query))
            if not self._scripts:
                self.done.set()
        if "configmaps" not in path or not self._scripts:
            await asyncio.Event().wait()
        for news in self._scripts.pop(0):
            if isinstance(news, Exception):
                raise news
            yield json.dumps(news).encode()


def watch(lists: list[list[Json]], scripts: list[list[News]], monkeypatch: pytest.MonkeyPatch) -> tuple[Store, FakeApi]:
    """Watch until the last script is played."""
    monkeypatch.setattr(watches, "PAUSE_SECONDS", 0)

    async def scenario() -> tuple[Store, FakeApi]:
        api, store = FakeApi(lists, scripts), Store(lambda key: None)
        running = asyncio.create_task(Watches(cast(Cluster, api), store, (), Vitals()).run())
        async with asyncio.timeout(10):
            await api.done.wait()
        running.cancel()
        return store, api

    return asyncio.run(scenario())


def names(store: Store) -> list[str]:
    return [name for name in "abc" if store.get(CONFIG_MAP, "team", name)]


def news(what: str, name: str, version: int) -> Json:
    return {"type": what, "object": thing(name, version)}


def test_all_pages_are_taken_in_and_then_what_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    script: list[News] = [news("ADDED", "c", 101), news("DELETED", "a", 102)]
    store, api = watch([[thing("a", 1), thing("b", 2)]], [script], monkeypatch)
    assert names(store) == ["b", "c"]
    assert [query["resourceVersion"] for query in api.asked] == ["100", "102"]


@pytest.mark.parametrize("broken", [TimeoutError(), ConnectionError(), ApiError(500, "busy")])
def test_watch_that_breaks_goes_on_where_it_stood(broken: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    bookmark = {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "150"}}}
    scripts: list[list[News]] = [[bookmark, broken], [news("ADDED", "b", 151)]]
    store, api = watch([[thing("a", 1)]], scripts, monkeypatch)
    assert names(store) == ["a", "b"]
    assert [query["resourceVersion"] for query in api.asked] == ["100", "150", "151"]


TOO_OLD = {"type": "ERROR", "object": {"code": 410, "message": "too old"}}


@pytest.mark.parametrize("expired", [ApiError(410, "expired"), TOO_OLD], ids=["refused", "told"])
def test_watch_that_is_too_far_behind_lists_again_and_sees_what_went(
    expired: News, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, _ = watch([[thing("a", 1), thing("b", 2)], [thing("b", 2)]], [[expired]], monkeypatch)
    assert names(store) == ["b"]


def test_events_are_narrowed_to_those_that_tell_something() -> None:
    fields = [source.selectors for source in sources(()) if source.kind is EVENT]
    assert fields == [
        {"fieldSelector": "type=Warning,reason!=FailedScheduling"},
        {"fieldSelector": "type=Normal,reason!=WaitForFirstConsumer,involvedObject.kind=PersistentVolumeClaim"},
    ]
    assert {source.namespace for source in sources(("a", "b"))} == {"a", "b"}


def test_watch_of_which_nothing_is_heard_is_told_of() -> None:
    now = [0.0]
    vitals = Vitals(lambda: now[0])
    vitals.beat("pods")
    vitals.beat("jobs")
    now[0] = PATIENCE_SECONDS
    vitals.beat("jobs")
    assert vitals.silent() == []
    now[0] += 1
    assert vitals.silent() == ["pods"]


def test_watch_that_is_ended_again_and_again_without_a_word_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    """A quiet cluster behind something that ends a connection early: each answer that begins is a sign of life."""
    monkeypatch.setattr(watches, "PAUSE_SECONDS", 0)
    beats: Counter[str] = Counter()
    vitals: Any = type("Vitals", (), {"beat": staticmethod(lambda watch: beats.update([watch]))})

    async def scenario() -> None:
        api = FakeApi([[thing("a", 1)]], [[], [], [TimeoutError()], [ConnectionError()]])
        running = asyncio.create_task(Watches(cast(Cluster, api), Store(lambda key: None), (), vitals).run())
        async with asyncio.timeout(10):
            await api.done.wait()
        running.cancel()

    asyncio.run(scenario())
    source = next(each for each in sources(()) if each.kind is CONFIG_MAP)
    assert beats[str(source)] == 1 + 1 + 5, "the start, the listing, and each answer"


def audited(store: Store, listings: list[list[Json]], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return who was heard of in some audits."""
    monkeypatch.setattr(watches, "AUDIT_SECONDS", 0)
    beats: list[str] = []

    class Listing(FakeApi):
        async def page(self, path: str, query: Mapping[str, str], *, names_only: bool = False) -> Json:
            if not listings:
                self.done.set()
                await asyncio.Event().wait()
            items = [{"metadata": job["metadata"]} for job in listings.pop(0)]
            return {"metadata": {"resourceVersion": "100"}, "items": items}

    async def scenario() -> None:
        api = Listing([], [])
        vitals: Any = type("Vitals", (), {"beat": staticmethod(beats.append)})
        running = asyncio.create_task(Watches(cast(Cluster, api), store, (), vitals)._audit())
        async with asyncio.timeout(10):
            await api.done.wait()
        running.cancel()

    asyncio.run(scenario())
    return beats[1:]  # the first is the start


def version(number: int) -> Json:
    job = rtj()
    job["metadata"]["resourceVersion"] = str(number)
    return job


@pytest.fixture
def told() -> list[Key]:
    return []


@pytest.fixture
def store(told: list[Key]) -> Store:
    store = Store(told.append)
    store.put(TRAINING_JOB, version(7))
    return store


def test_kopfs_watch_lives_if_what_is_there_arrives(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(audited(store, [[version(7)], [version(7)]], monkeypatch)) == 2


def test_kopfs_watch_is_dead_if_a_change_does_not_come_by_the_next_audit(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert len(audited(store, [[version(8)], [version(8)], [version(9)]], monkeypatch)) == 1


def test_job_whose_deletion_was_missed_is_taken_out(
    store: Store, told: list[Key], monkeypatch: pytest.MonkeyPatch
) -> None:
    audited(store, [[]], monkeypatch)
    assert store.get(TRAINING_JOB, "team", "sums") is None
    assert told == [Key("team", "sums")] * 2
