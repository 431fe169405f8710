"""Keeps the store up to date: lists and watches the children, the pods and the events that tell why one does not start.

kopf watches the ReasoningTrainingJobs (see handlers.py). It is not used for what they are made of: its reactor takes
1.0 ms of CPU and 6 KB for each object that a listing brings (measured with 10,000; 5,000 jobs have 25,000 children),
and does not tell of an object that went while a watch was interrupted.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass, field

import aiohttp

from reasoning_contract.api import JOB_LABEL

from .children.table import KINDS
from .client import ApiError, Cluster, path
from .kinds import CLAIM, EVENT, POD, TRAINING_JOB, Kind
from .model import Json, Key
from .store import Store

logger = logging.getLogger(__name__)

PAGE = 100
"""Objects that a page of a listing has: what is read at once is held twice in memory."""
NAMES_PAGE = 250
"""The same where their metadata alone are listed, which happens at rest too."""
LONGEST_SECONDS = 600
"""How long a watch lasts before it is begun anew where it stood."""
QUIET_SECONDS = 90.0
"""How long a watch may be silent: an API server sends a bookmark every minute."""
PAUSE_SECONDS = 1.0
AUDIT_SECONDS = 120.0
PATIENCE_SECONDS = 300.0
"""How long nothing may be heard by a watch before the operator is taken for sick."""
EXPIRED = 410


@dataclass(frozen=True)
class Source:
    """What is listed and watched together.

    Attributes
    ----------
    kind
        The kind.
    namespace
        The namespace; all when empty.
    selectors
        Label and field selectors, as query parameters.
    """

    kind: Kind
    namespace: str
    selectors: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return " ".join(filter(None, [self.kind.plural, self.namespace, *self.selectors.values()]))


def sources(namespaces: Iterable[str]) -> list[Source]:
    """Return what is watched beside the jobs, in some namespaces or, without any, in all."""
    found = []
    for namespace in tuple(namespaces) or ("",):
        # every claim: a job may write to and read from claims that are its user's
        labelled = [kind for kind in (*KINDS, POD) if kind is not CLAIM]
        found += [Source(kind, namespace, {"labelSelector": JOB_LABEL}) for kind in labelled]
        # what the scheduler says is in the pod's conditions, and that a claim waits for its first pod in those too
        warnings = "type=Warning,reason!=FailedScheduling"
        of_claims = f"type=Normal,reason!=WaitForFirstConsumer,involvedObject.kind={CLAIM.name}"
        events = [Source(EVENT, namespace, {"fieldSelector": fields}) for fields in (warnings, of_claims)]
        found += [Source(CLAIM, namespace), *events]
    return found


class Vitals:
    """When each watch was last heard of, for the liveness probe.

    Parameters
    ----------
    clock
        Seconds, from any moment on.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._heard: dict[str, float] = {}

    def beat(self, watch: str) -> None:
        """Note that a watch lives."""
        self._heard[watch] = self._clock()

    def silent(self) -> list[str]:
        """Return the watches of which nothing has been heard for too long."""
        now = self._clock()
        return [watch for watch, heard in self._heard.items() if now - heard > PATIENCE_SECONDS]


class Watches:
    """Fills the store until cancelled.

    Parameters
    ----------
    cluster
        The API server.
    store
        What is filled.
    namespaces
        Namespaces to follow; all when empty.
    vitals
        Told when a watch was heard.
    """

    def __init__(self, cluster: Cluster, store: Store, namespaces: tuple[str, ...], vitals: Vitals) -> None:
        self._cluster = cluster
        self._store = store
        self._namespaces = namespaces
        self._vitals = vitals
        self._sources = sources(namespaces)
        self._listed: set[str] = set()
        self.ready = asyncio.Event()
        """Set when everything has been listed once."""

    async def run(self) -> None:
        """List and watch everything."""
        async with asyncio.TaskGroup() as group:
            for source in self._sources:
                self._vitals.beat(str(source))
                group.create_task(self._follow(source))
            group.create_task(self._audit())

    async def _follow(self, source: Source) -> None:
        reached = ""
        while True:
            try:
                reached = reached or await self._list(source)
                async for version in self._news(source, reached):
                    reached = version
                    self._vitals.beat(str(source))
            except ApiError as error:
                if error.status == EXPIRED:
                    reached = ""
                logger.warning("%s are watched anew: %s", source, error)
            except (aiohttp.ClientError, OSError, TimeoutError) as error:
                logger.info("%s are watched anew: %s: %s", source, type(error).__name__, error)
            await asyncio.sleep(PAUSE_SECONDS * random.uniform(0.5, 1.5))

    async def _list(self, source: Source) -> str:
        """Take in all that is there, take out what is not, and return the version from which to watch."""
        names: set[Key] = set()
        version = ""
        async for page in self._pages(source):
            version = page["metadata"]["resourceVersion"]
            for thing in page["items"]:
                names.add(Key(thing["metadata"]["namespace"], thing["metadata"]["name"]))
                self._store.put(source.kind, thing)
            self._vitals.beat(str(source))
            await asyncio.sleep(0)  # others' turn
        if source.kind is not EVENT:  # those go with what they are about
            self._store.prune(source.kind, source.namespace, names, int(version))
        self._listed.add(str(source))
        if len(self._listed) == len(self._sources):
            self.ready.set()
        return version

    async def _pages(self, source: Source, *, names_only: bool = False) -> AsyncIterator[Json]:
        query = {**source.selectors, "limit": str(NAMES_PAGE if names_only else PAGE)}
        where = path(source.kind, source.namespace)
        while True:
            page = await self._cluster.page(where, query, names_only=names_only)
            yield page
            if not (further := page["metadata"].get("continue")):
                return
            query["continue"] = further

    async def _news(self, source: Source, version: str) -> AsyncIterator[str]:
        """Take in what happens, and yield the version that is reached by it."""
        query = {**source.selectors, "watch": "true", "allowWatchBookmarks": "true", "resourceVersion": version}
        query["timeoutSeconds"] = str(round(LONGEST_SECONDS * random.uniform(0.5, 1)))
        where = path(source.kind, source.namespace)
        # of Events no bookmarks are sent: on a quiet cluster an answer that begins is all that is heard
        async for line in self._cluster.lines(where, query, QUIET_SECONDS, lambda: self._vitals.beat(str(source))):
            news = json.loads(line)
            thing = news["object"]
            if news["type"] == "ERROR":
                raise ApiError(thing.get("code", 0), thing.get("message", ""))
            if news["type"] == "DELETED":
                self._store.remove(source.kind, thing)
            elif news["type"] != "BOOKMARK":
                self._store.put(source.kind, thing)
            yield thing["metadata"]["resourceVersion"]

    async def _audit(self) -> None:
        """Compare the jobs that kopf has brought with a listing: take out what is gone, and tell if it brings no more.

        It lives if what one listing had newer has come by the next.
        """
        jobs = [Source(TRAINING_JOB, namespace) for namespace in self._namespaces or ("",)]
        late: dict[Key, int] = {}
        self._vitals.beat(TRAINING_JOB.plural)
        while True:
            await asyncio.sleep(AUDIT_SECONDS)
            try:
                listed = {key: version for source in jobs for key, version in (await self._versions(source)).items()}
            except (ApiError, aiohttp.ClientError, OSError, TimeoutError) as error:
                logger.warning("the jobs could not be listed: %s: %s", type(error).__name__, error)
                continue
            known = {key: self._store.version(TRAINING_JOB, key) for key in listed}
            if all(known[key] >= version for key, version in late.items() if key in listed):
                self._vitals.beat(TRAINING_JOB.plural)
            late = {key: version for key, version in listed.items() if known[key] < version}

    async def _versions(self, source: Source) -> dict[Key, int]:
        found: dict[Key, int] = {}
        async for page in self._pages(source, names_only=True):
            for meta in (thing["metadata"] for thing in page["items"]):
                found[Key(meta["namespace"], meta["name"])] = int(meta["resourceVersion"])
        self._store.prune(source.kind, source.namespace, found, int(page["metadata"]["resourceVersion"]))
        return found
