"""Follows a job until it has ended."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from .errors import ClientError, Exit
from .kube import Cluster

FINISHED = ("Succeeded", "Failed")
LOOK_SECONDS = 60.0
"""How long one watch lasts: then the job is read anew, which also heals a connection that died in silence."""


def follow(cluster: Cluster, name: str, timeout: float | None = None) -> Iterator[dict[str, Any]]:
    """Yield a job now and whenever it changes, until it has ended.

    Parameters
    ----------
    cluster
        The cluster.
    name
        The job.
    timeout
        Seconds to follow it at most; without end when None.

    Raises
    ------
    ClientError
        If the time is over.
    """
    deadline = None if timeout is None else time.monotonic() + timeout
    seen = None
    while True:
        left = LOOK_SECONDS if deadline is None else min(deadline - time.monotonic(), LOOK_SECONDS)
        if left <= 0:
            raise ClientError(f"{name} had not ended after {timeout:g} s", "it goes on", Exit.TIMED_OUT)
        for document in cluster.follow(name, left):
            if document["metadata"]["resourceVersion"] != seen:
                seen = document["metadata"]["resourceVersion"]
                yield document
            if (document.get("status") or {}).get("phase") in FINISHED:
                return
