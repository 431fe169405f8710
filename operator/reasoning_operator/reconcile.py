"""Brings one job closer to what its spec says: observe, decide, apply, report."""

from __future__ import annotations

import logging
from datetime import UTC, datetime

import aiohttp

from .acceptance import accept, refused
from .announcements import announcements
from .apply import announce, apply, write_status
from .client import ApiError, Cluster
from .metrics import JobMetrics
from .model import Key, Observed
from .observe import observe
from .plan import RETRY_SECONDS, plan
from .progress import ProgressPoller
from .settings import Settings
from .status import status
from .workqueue import RetryError

logger = logging.getLogger(__name__)

CONFLICT = 409
REFUSED = (400, 403, 422)
"""What the API server answers to an object that it will not have: invalid, not allowed, over a quota."""
CONFLICT_PAUSE_SECONDS = 0.2


class Reconciler:
    """Holds what every reconcile needs; it remembers nothing about jobs."""

    def __init__(self, cluster: Cluster, settings: Settings, poller: ProgressPoller, job_metrics: JobMetrics) -> None:
        self._cluster = cluster
        self._settings = settings
        self._poller = poller
        self._metrics = job_metrics

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
            observed = await observe(self._cluster, key, self._poller.reports, self._poller.silent)
            if observed is None or observed.is_going:  # Kubernetes deletes what is left: nothing about it is news
                self._forget(key)
                return None
            return await self._reconcile(key, observed, datetime.now(UTC))
        except (ApiError, aiohttp.ClientError, OSError, TimeoutError) as error:
            if isinstance(error, ApiError) and error.status == CONFLICT:
                return CONFLICT_PAUSE_SECONDS  # something changed while it was looked at
            raise RetryError(f"{type(error).__name__}: {error}") from error

    async def _reconcile(self, key: Key, observed: Observed, now: datetime) -> float | None:
        verdict = accept(observed, self._settings)
        todo = plan(observed, verdict, self._settings, now)
        again = todo.requeue_after
        try:
            await apply(self._cluster, todo)
        except ApiError as error:
            if error.status not in REFUSED:
                raise
            verdict, again = refused(str(error)), RETRY_SECONDS
        new = status(observed, verdict, self._settings, now)
        if await write_status(self._cluster, observed, new):
            if new.phase != observed.status.phase:
                logger.info("%s/%s is %s", *key, new.phase)
            for announcement in announcements(observed.status, new):
                await announce(self._cluster, observed.job, announcement, now)
        self._poller.follow(key, observed.pods)
        self._metrics.show(key, observed.job, new)
        return again

    def _forget(self, key: Key) -> None:
        self._poller.forget(key)
        self._metrics.forget(key)
