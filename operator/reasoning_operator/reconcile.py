"""Brings one job closer to what its spec says: observe, decide, apply, report."""

from __future__ import annotations

import logging
from contextlib import suppress
from datetime import UTC, datetime

import aiohttp

from reasoning_contract.job_status import Status
from reasoning_contract.problem import Problem

from .acceptance import accept
from .announcements import announcements, claim_stays
from .apply import CONFLICT, TakenError, announce, apply, to_write, write_status
from .children import volume
from .client import ApiError, Cluster
from .kinds import CLAIM, JOB, TRAINING_JOB, kind_of
from .metrics import JobMetrics
from .model import Json, Key, Observed
from .names import output_claim
from .observe import alive, observe, take_in
from .pacing import Pace, Patience
from .plan import Plan, plan
from .progress import ProgressPoller
from .refusals import refused
from .settings import Settings
from .status import status
from .store import Store
from .workqueue import RetryError

logger = logging.getLogger(__name__)

REFUSED = (400, 403, 422)
"""What the API server answers to an object that it will not have: invalid, not allowed, over a quota."""
CONFLICT_PAUSE_SECONDS = 0.2


class Reconciler:
    """Holds what every reconcile needs; of jobs it remembers that they are, when a status was written, and since
    when they wait."""

    def __init__(
        self, store: Store, cluster: Cluster, settings: Settings, poller: ProgressPoller, job_metrics: JobMetrics
    ) -> None:
        self._store = store
        self._cluster = cluster
        self._settings = settings
        self._poller = poller
        self._metrics = job_metrics
        self._seen: set[Key] = set()
        self._pace = Pace()
        self._patience = Patience()

    async def reconcile(self, key: Key) -> float | None:
        """Reconcile one job.

        Returns
        -------
        float or None
            Seconds until it is to be looked at again though nothing happened.

        Raises
        ------
        RetryError
            If the API server did not do what it was asked for.
        """
        try:
            reports, silent, defaults = self._poller.reports, self._poller.silent, self._settings.job_defaults
            observed = await observe(self._store, self._cluster, key, reports, silent, defaults)
            if observed is None or observed.is_going:  # Kubernetes deletes what is left
                await self._tell_what_stays(key)
                self._forget(key)
                return None
            self._seen.add(key)
            return await self._reconcile(key, observed, datetime.now(UTC))
        except TakenError as taken:
            name = Key(key.namespace, taken.child["metadata"]["name"])
            await take_in(self._store, self._cluster, kind_of(taken.child["apiVersion"], taken.child["kind"]), name)
            return 0.0
        except (ApiError, aiohttp.ClientError, OSError, TimeoutError) as error:
            if isinstance(error, ApiError) and error.status == CONFLICT:
                return CONFLICT_PAUSE_SECONDS  # something changed while it was looked at
            raise RetryError(f"{type(error).__name__}: {error}") from error

    async def _reconcile(self, key: Key, observed: Observed, now: datetime) -> float | None:
        verdict = accept(observed, self._settings)
        todo = plan(observed, verdict, self._settings, now)
        again, retry = todo.requeue_after, todo.retry
        if (todo.create or todo.delete) and not await self._is_still_so(key, observed, todo):
            return CONFLICT_PAUSE_SECONDS
        try:
            await apply(self._cluster, todo, self._take_in)
        except ApiError as error:
            if error.status not in REFUSED:
                raise
            verdict, retry = refused(str(error), verdict, self._settings), True
        if isinstance(verdict, Problem) and retry:
            pause = self._patience.pause(key, (observed.job["metadata"].get("generation"), verdict.reason))
            again = pause if again is None else min(again, pause)
        else:
            self._patience.forget(key)
        new = status(observed, verdict, self._settings, now)
        if (written := to_write(observed.job, new)) is not None:
            if wait := self._pace.wait(key, observed.status, new):
                again = wait if again is None else min(again, wait)
            else:
                await self._write(key, observed, new, written, now)
        self._poller.follow(key, [attempt.lead for attempt in observed.attempts])
        self._metrics.show(key, observed.job, new)
        return again

    async def _is_still_so(self, key: Key, observed: Observed, todo: Plan) -> bool:
        """Whether a job is as the store has it, by the API server: what is made or deleted for it lasts.

        A Job is not made anew for a job that had one while a pod of that is at work.
        """
        live = await take_in(self._store, self._cluster, TRAINING_JOB, key)
        if live is None or live["metadata"]["resourceVersion"] != observed.job["metadata"]["resourceVersion"]:
            return False
        again = observed.status.phase is not None and any(child["kind"] == JOB.name for child in todo.create)
        return not (again and await alive(self._store, self._cluster, observed.job))

    async def _write(self, key: Key, observed: Observed, new: Status, written: Json, now: datetime) -> None:
        self._take_in(await write_status(self._cluster, observed.job, written))
        self._pace.wrote(key)
        if new.phase != observed.status.phase:
            logger.info("%s/%s is %s", *key, new.phase)
        for announcement in announcements(observed.status, new):
            await announce(self._cluster, observed.job, announcement, now)

    async def _tell_what_stays(self, key: Key) -> None:
        """Say at the claim of a job that is deleted that it outlives the job, once: the job was there till now."""
        claim = self._store.get(CLAIM, key.namespace, output_claim(key.name)) if key in self._seen else None
        if claim is not None and volume.outlives(claim, key.name):
            with suppress(ApiError):  # a namespace that goes takes no events, and an event is worth no second try
                await announce(self._cluster, claim, claim_stays(*key), datetime.now(UTC))

    def _take_in(self, thing: Json) -> None:
        self._store.put(kind_of(thing["apiVersion"], thing["kind"]), thing)

    def _forget(self, key: Key) -> None:
        self._seen.discard(key)
        self._poller.forget(key)
        self._metrics.forget(key)
        self._pace.forget(key)
        self._patience.forget(key)
