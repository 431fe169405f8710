"""The store behind the cluster: news come late, twice, in another order or never, and nothing is made twice or lost."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from typing import Any, cast

import pytest
from tests.unit.operator.fake_cluster import NAMESPACE, FakeCluster
from tests.unit.operator.objects import SETTINGS, rtj

from reasoning_contract.api import JOB_LABEL, UID_LABEL
from reasoning_operator.children.table import KINDS, TABLE, built
from reasoning_operator.client import Cluster
from reasoning_operator.kinds import CLAIM, CONFIG_MAP, EVENT, JOB, POD, TRAINING_JOB, Kind
from reasoning_operator.metrics import JobMetrics
from reasoning_operator.model import Json, Key, TrainingJob
from reasoning_operator.progress import ProgressPoller
from reasoning_operator.reconcile import Reconciler
from reasoning_operator.store import Store
from reasoning_operator.workqueue import RetryError

WATCHED = (TRAINING_JOB, *KINDS, POD)
KEY = Key(NAMESPACE, "sums")
STEPS = 60


class World:
    """The operator with a store that somebody else fills, badly."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.cluster = FakeCluster()
        self.woken: list[Key] = []
        self.store = Store(self.woken.append)
        self._undelivered: list[tuple[str, Kind, Json]] = []

        async def nobody(_: Json) -> bytes:
            raise ConnectionError

        poller = ProgressPoller(nobody, 5, self.woken.append)
        self._reconciler = Reconciler(self.store, cast(Cluster, self.cluster), SETTINGS, poller, JobMetrics(3600))

    async def look(self) -> None:
        self.woken.clear()
        try:
            await self._reconciler.reconcile(KEY)
        except RetryError as error:  # the queue tries again what failed because an object has just gone
            if "404" not in str(error):
                raise

    def deliver(self) -> None:
        """Give the store some of the news: doubled, reordered, or not at all."""
        self._undelivered += self.cluster.news
        self.cluster.news.clear()
        self.rng.shuffle(self._undelivered)
        for _ in range(self.rng.randrange(4)):
            if self._undelivered:
                news = self._undelivered.pop()
                for _ in range(self.rng.choice([0, 1, 1, 2])):
                    self._tell(*news)

    def list_again(self) -> None:
        """Give the store all that is there, as a listing does, which comes after every watch that broke."""
        self._undelivered.clear()
        self.cluster.news.clear()
        for kind in WATCHED:
            found = [each for each in self.cluster.of(kind) if _selected(kind, each)]
            for thing in found:
                self.store.put(kind, thing)
            names = {Key(NAMESPACE, each["metadata"]["name"]) for each in found}
            self.store.prune(kind, "", names, self.cluster.version)

    def _tell(self, what: str, kind: Kind, thing: Json) -> None:
        if kind is EVENT or not _selected(kind, thing):
            return
        (self.store.remove if what == "DELETED" else self.store.put)(kind, thing)

    def disturb(self) -> None:
        """Do one of the things that users do."""
        choice = self.rng.random()
        job, there = (TRAINING_JOB, KEY), (TRAINING_JOB, KEY) in self.cluster.things
        if not there:
            self.cluster.add(fresh(retain=self.rng.random() < 0.5))
        elif choice < 0.08:
            self.cluster.drop(*job)
        elif choice < 0.16:
            self.cluster.change(*job, {"spec": {"suspend": self.rng.random() < 0.5}})
        elif choice < 0.24 and (JOB, Key(NAMESPACE, "sums-train")) in self.cluster.things:
            self.cluster.drop(JOB, Key(NAMESPACE, "sums-train"))
        elif choice < 0.3 and (CONFIG_MAP, Key(NAMESPACE, "sums-spec")) in self.cluster.things:
            self.cluster.change(CONFIG_MAP, Key(NAMESPACE, "sums-spec"), {"data": {"job.json": "{}"}})

    def check(self) -> None:
        """No two pods write to one run's folder."""
        writers = Counter(pod["metadata"]["labels"][UID_LABEL] for pod in self.cluster.of(POD))
        assert all(count == 1 for count in writers.values()), writers

    async def settle(self) -> None:
        """Let everybody come to rest, with a store that is up to date."""
        for _ in range(20):
            self.cluster.control(self.rng)
            self.list_again()
            await self.look()
            self.check()


def _selected(kind: Kind, thing: Json) -> bool:
    return kind in (TRAINING_JOB, CLAIM) or JOB_LABEL in thing["metadata"].get("labels", {})


def fresh(*, retain: bool) -> Json:
    job = rtj(storage={"retain": retain})
    job["metadata"] = {"namespace": NAMESPACE, "name": KEY.name, "generation": 1}
    return job


async def live(seed: int) -> World:
    world = World(seed)
    for _ in range(STEPS):
        world.disturb()
        world.cluster.control(world.rng)
        world.deliver()
        if world.rng.random() < 0.05:
            world.list_again()
        await world.look()
        world.check()
    if (TRAINING_JOB, KEY) not in world.cluster.things:
        world.cluster.add(fresh(retain=True))
    await world.settle()
    return world


@pytest.mark.parametrize("seed", range(40))
def test_bad_news_make_nothing_twice_and_lose_nothing(seed: int) -> None:
    world = asyncio.run(live(seed))
    job = world.cluster.things[TRAINING_JOB, KEY]
    if job["status"]["phase"] == "Pending":  # an earlier run's claim is in the way of one that would delete it
        assert job["status"]["failure"]["reason"] == "NameConflict"
        assert world.cluster.things[CLAIM, Key(NAMESPACE, "sums-output")]["metadata"].get("ownerReferences") is None
        return
    wanted = built(TrainingJob.of(job), SETTINGS)
    for row in (each for each in TABLE if wanted[each.role]):
        child = world.cluster.things[row.kind, Key(NAMESPACE, row.name(KEY.name))]
        owned = [each["uid"] for each in child["metadata"].get("ownerReferences", [])]
        assert owned in ([job["metadata"]["uid"]], [] if row.role == "claim" else None), row.role
    assert job["status"]["phase"] == ("Suspended" if job["spec"].get("suspend") else "Running")
    config = world.cluster.things[CONFIG_MAP, Key(NAMESPACE, "sums-spec")]
    assert config["data"]["job.json"] != "{}"
    world.cluster.requests.clear()
    asyncio.run(world.look())
    assert world.cluster.requests == [], "a job at rest costs nothing"


def test_job_that_is_gone_is_not_given_children_again() -> None:
    """Its deletion was missed, and so was that of its children."""

    async def scenario() -> None:
        world = World(0)
        world.cluster.add(fresh(retain=True))
        world.list_again()
        world.cluster.things.clear()
        await world.look()
        assert world.cluster.of(CLAIM) == []
        assert world.store.get(TRAINING_JOB, *KEY) is None

    asyncio.run(scenario())


def test_claim_that_no_watch_has_brought_is_not_taken_for_lost() -> None:
    async def scenario() -> None:
        world = World(0)
        world.cluster.add(fresh(retain=True))
        await world.settle()
        world.store.gone(CLAIM, Key(NAMESPACE, "sums-output"))
        await world.look()
        status: Any = world.cluster.things[TRAINING_JOB, KEY]["status"]
        assert status["phase"] == "Running"

    asyncio.run(scenario())
