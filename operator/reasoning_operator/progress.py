"""Asks running pods for their progress, and keeps what each said last. A cache: nothing is lost with it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

import aiohttp
from pydantic import ValidationError

from reasoning_contract.api import PORT, UID_LABEL
from reasoning_contract.problem import Problem
from reasoning_contract.progress import Progress
from reasoning_contract.rules import faults

from . import pods
from .client import ApiError, Cluster, path, whole
from .kinds import POD
from .model import Json, Key

logger = logging.getLogger(__name__)

TIMEOUT_SECONDS = 4.0
PATIENCE_SECONDS = 120.0
"""How long a running pod may say nothing before that is told: a trainer serves before it imports its libraries."""
NOT_REACHED, NOT_UNDERSTOOD = "NotReached", "NotUnderstood"
CONCURRENCY = 32
LONGEST = 256 * 1024
"""Bytes of a report that are read: far more than any has, and few enough for a status."""


class Route(Protocol):
    """A way to a pod's /progress."""

    def __call__(self, pod: Json) -> Awaitable[bytes]:
        """Return the document that a pod serves; OSError or TimeoutError if it does not answer."""


def through_api_server(cluster: Cluster) -> Route:
    """Return the way through the API server's proxy, for an operator outside the pod network."""

    async def fetch(pod: Json) -> bytes:
        meta = pod["metadata"]
        where = path(POD, meta["namespace"], f"{meta['name']}:{PORT}", "proxy/progress")
        try:
            return await cluster.read(where, TIMEOUT_SECONDS, LONGEST)
        except ApiError as error:
            raise ConnectionError(str(error)) from error

    return fetch


def straight(session: aiohttp.ClientSession) -> Route:
    """Return the way straight to the pod's address."""

    timeout = aiohttp.ClientTimeout(total=TIMEOUT_SECONDS)

    async def fetch(pod: Json) -> bytes:
        address = pod["status"].get("podIP")
        if not address:
            raise ConnectionError("it has no address yet")
        host = f"[{address}]" if ":" in address else address
        # Any image may answer: it must not lead elsewhere, nor fill the memory.
        where = f"http://{host}:{PORT}/progress"
        async with session.get(where, timeout=timeout, allow_redirects=False) as response:
            if response.status != 200:
                raise ConnectionError(f"status {response.status}")
            return await whole(response.content, LONGEST)

    return fetch


class ProgressPoller:
    """Polls the running pods of all jobs.

    Parameters
    ----------
    route
        The way to a pod.
    interval
        Seconds between two rounds.
    changed
        Called with the job whose pod said something new, or has said nothing for too long.
    clock
        Seconds, from any moment on.

    Attributes
    ----------
    reports
        The last report of each pod that was heard, by the pod's UID.
    silent
        Why nothing is heard of a pod that runs, by the pod's UID.
    """

    def __init__(
        self,
        route: Route,
        interval: float,
        changed: Callable[[Key], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._route = route
        self._interval = interval
        self._changed = changed
        self._clock = clock
        self._pods: dict[Key, list[Json]] = {}
        self._unheard_since: dict[str, float] = {}
        self.reports: dict[str, Progress] = {}
        self.silent: dict[str, Problem] = {}

    def follow(self, key: Key, all_pods: Sequence[Json]) -> None:
        """Take note of which pods of a job run, and forget what those that are gone said."""
        before, now = ({pod["metadata"]["uid"] for pod in some} for some in (self._pods.get(key, []), all_pods))
        for uid in before - now:
            self.reports.pop(uid, None)
            self._unheard_since.pop(uid, None)
            self.silent.pop(uid, None)
        if all_pods:
            self._pods[key] = list(all_pods)
        else:
            self._pods.pop(key, None)

    def forget(self, key: Key) -> None:
        """Forget a job that is gone."""
        self.follow(key, [])

    async def run(self) -> None:
        """Poll until cancelled."""
        while True:
            await asyncio.sleep(self._interval)
            await self.poll()

    async def poll(self) -> None:
        """Ask every running pod once."""
        limit = asyncio.Semaphore(CONCURRENCY)
        running = [(key, pod) for key, all_pods in self._pods.items() for pod in all_pods if pods.is_running(pod)]
        await asyncio.gather(*(self._ask(key, pod, limit) for key, pod in running))

    async def _ask(self, key: Key, pod: Json, limit: asyncio.Semaphore) -> None:
        try:
            async with limit:
                report = Progress.model_validate_json(await self._route(pod), extra="ignore")
        except (OSError, TimeoutError, aiohttp.ClientError) as error:
            self._not_heard(key, pod, _not_reached(str(error) or type(error).__name__), PATIENCE_SECONDS)
            return
        except ValidationError as error:
            self._not_heard(key, pod, _not_understood(error), 0)
            return
        if report.job_uid not in (None, pod["metadata"].get("labels", {}).get(UID_LABEL)):
            self._not_heard(key, pod, _not_reached("another job's pod answers at its address"), PATIENCE_SECONDS)
            return
        uid = pod["metadata"]["uid"]
        self._unheard_since.pop(uid, None)
        was_silent = self.silent.pop(uid, None) is not None
        if self._is_followed(key, uid) and (was_silent or self.reports.get(uid) != report):
            self.reports[uid] = report
            self._changed(key)

    def _not_heard(self, key: Key, pod: Json, silence: Problem, patience: float) -> None:
        """Tell once of a pod that nothing has been heard of for too long, and once more if its report is unreadable."""
        uid, now = pod["metadata"]["uid"], self._clock()
        if not self._is_followed(key, uid):
            return  # it went while it was asked
        since = self._unheard_since.setdefault(uid, now)
        told = self.silent.get(uid)
        news = told is None or (told.reason, silence.reason) == (NOT_REACHED, NOT_UNDERSTOOD)
        if now - since >= patience and news:
            self.silent[uid] = silence
            logger.warning("pod %s/%s runs, but %s", key.namespace, pod["metadata"]["name"], silence.told)
            self._changed(key)

    def _is_followed(self, key: Key, uid: str) -> bool:
        return any(pod["metadata"]["uid"] == uid for pod in self._pods.get(key, []))


def _not_reached(why: str) -> Problem:
    return Problem(
        reason=NOT_REACHED,
        message=f"its progress is not heard ({why})",
        hint=f"let the operator reach port {PORT} of the job's pods, and see the pod's log; the run goes on meanwhile",
    )


def _not_understood(error: ValidationError) -> Problem:
    return Problem(
        reason=NOT_UNDERSTOOD,
        message=f"its progress cannot be read ({faults(error)[0]})",
        hint="its image is of another version than the operator: bring them together for the next job; the run goes on",
    )
