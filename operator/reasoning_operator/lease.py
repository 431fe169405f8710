"""A Lease that one operator holds at a time, by the protocol of client-go's leader election."""

from __future__ import annotations

import asyncio
import logging
import time
from datetime import UTC, datetime

import aiohttp

from .client import ApiError, Cluster, path
from .kinds import LEASE
from .model import Json

logger = logging.getLogger(__name__)

DURATION_SECONDS, RENEW_SECONDS, RETRY_SECONDS = 15, 10, 2
"""For how long a holder that fell silent is waited for; how long a holder tries to renew; pause between two tries."""


class LeaseLostError(Exception):
    """The Lease could not be renewed in time: another operator may hold it."""


class Lease:
    """A Lease.

    Parameters
    ----------
    cluster
        The API server.
    namespace, name
        Where it is.
    identity
        Who asks for it.
    """

    def __init__(self, cluster: Cluster, namespace: str, name: str, identity: str) -> None:
        self._cluster = cluster
        self._path = path(LEASE, namespace, name)
        self._metadata = {"name": name, "namespace": namespace}
        self._identity = identity
        self._held: Json | None = None
        self._seen: tuple[str, str] = ("", "")
        self._seen_at = 0.0

    async def acquire(self) -> None:
        """Wait for the Lease."""
        while not await self._try():
            await asyncio.sleep(RETRY_SECONDS)

    async def keep(self) -> None:
        """Renew until cancelled.

        Raises
        ------
        LeaseLostError
            If it could not be renewed in time.
        """
        while True:
            await asyncio.sleep(RETRY_SECONDS)
            try:
                async with asyncio.timeout(RENEW_SECONDS):
                    await self.acquire()
            except TimeoutError as error:
                raise LeaseLostError(f"not renewed for {RENEW_SECONDS} s") from error

    async def release(self) -> None:
        """Give the Lease back if it is held, so that the next operator need not wait for its end."""
        lease = await self._cluster.get(self._path)
        if lease and lease["spec"].get("holderIdentity") == self._identity:
            await self._cluster.replace(self._path, lease | {"spec": lease["spec"] | {"holderIdentity": ""}})

    async def _try(self) -> bool:
        """Take or renew the Lease; False if another holds it or the API server does not answer.

        What was written last is renewed without being read: nobody else wrote since if its version still stands.
        """
        try:
            lease = self._held or await self._cluster.get(self._path)
            if lease is None:
                self._held = await self._cluster.create(self._body({"metadata": self._metadata}))
            elif self._may_take(lease["spec"]):
                self._held = await self._cluster.replace(self._path, self._body(lease))
            else:
                return False
        except (ApiError, aiohttp.ClientError, OSError, TimeoutError) as error:
            self._held = None
            logger.warning("the Lease could not be had: %s", error)
            return False
        return True

    def _may_take(self, spec: Json) -> bool:
        """Whether nobody holds it, or we do, or somebody who was silent for its whole duration by our own clock."""
        holder = spec.get("holderIdentity", "")
        if (holder, spec.get("renewTime", "")) != self._seen:
            self._seen, self._seen_at = (holder, spec.get("renewTime", "")), time.monotonic()
        silent = time.monotonic() - self._seen_at > spec.get("leaseDurationSeconds", DURATION_SECONDS)
        return holder in ("", self._identity) or silent

    def _body(self, lease: Json) -> Json:
        spec = {
            "holderIdentity": self._identity,
            "leaseDurationSeconds": DURATION_SECONDS,
            "renewTime": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        }
        return {**lease, "apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "spec": spec}
