"""Brings one job closer to what its spec says: observe, decide, apply, report."""

from __future__ import annotations

import logging
from datetime import UTC, datetime

from .acceptance import accept
from .announcements import announcements
from .apply import announce, apply, write_status
from .client import ApiError, Cluster
from .metrics import JobMetrics
from .model import Key
from .observe import observe
from .plan import plan
from .progress import ProgressPoller
from .settings import Settings
from .status import status

logger = logging.getLogger(__name__)

CONFLICT = 409
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
        """
        try:
            return await self._reconcile(key)
        except ApiError as error:
            if error.status != CONFLICT:
                raise
            logger.debug("%s/%s changed while it was looked at: %s", *key, error)
            return CONFLICT_PAUSE_SECONDS

    async def _reconcile(self, key: Key) -> float | None:
        observed = await observe(self._cluster, key, self._poller.reports)
        if observed is None:
            self._poller.forget(key)
            self._metrics.forget(key)
            return None
        now = datetime.now(UTC)
        verdict = accept(observed)
        todo = plan(observed, verdict, self._settings, now)
        await apply(self._cluster, todo)
        new = status(observed, verdict, self._settings, now)
        if await write_status(self._cluster, observed, new):
            logger.info("%s/%s is %s", *key, new.phase)
            for announcement in announcements(observed.status, new):
                await announce(self._cluster, observed.job, announcement, now)
        self._poller.follow(key, observed.pods)
        self._metrics.show(key, new)
        return todo.requeue_after
