"""The only module that writes to the cluster, but for the operator's own Lease."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime

from reasoning_contract.api import MANAGER
from reasoning_contract.job_status import Status

from .announcements import Announcement
from .client import ApiError, Cluster, path_of
from .model import Json, read_status
from .plan import Plan
from .status import as_json
from .times import text


class TakenError(Exception):
    """A child could not be made: something has its name that was not known of.

    Attributes
    ----------
    child
        The child.
    """

    def __init__(self, child: Json) -> None:
        super().__init__(f"{child['kind']} {child['metadata']['name']} is there already")
        self.child = child


async def apply(cluster: Cluster, plan: Plan, made: Callable[[Json], None]) -> None:
    """Carry out a plan.

    Every request fails, rather than hit another object, if the cluster is no longer as it was observed: creation if the
    name is taken, and patches and deletions by UID and version. The caller then starts over.

    Parameters
    ----------
    cluster
        The API server.
    plan
        What to do.
    made
        Called with each object as the API server answered that it is now.

    Raises
    ------
    TakenError
        If the name of a child is taken.
    """
    for thing in plan.delete:
        await cluster.delete(thing)
    for live, patch in plan.patch:
        seen = {name: live["metadata"][name] for name in ("uid", "resourceVersion")}
        made(await cluster.patch(path_of(live), patch | {"metadata": patch.get("metadata", {}) | seen}))
    for child in plan.create:  # last: a Job that is made reads the spec as it is then
        try:
            made(await cluster.create(child))
        except ApiError as error:
            if error.status != CONFLICT:
                raise
            raise TakenError(child) from error


async def write_status(cluster: Cluster, job: Json, status: Json) -> Json:
    """Write a status, and return the job as it is now; refused if the job has changed since it was read."""
    return await cluster.replace(path_of(job, "status"), job | {"status": status})


def to_write(job: Json, new: Status) -> Json | None:
    """Return a status as it is to be written; None if the object, as far as it can be read, says it already."""
    status = as_json(new)
    return None if status == as_json(read_status(job)) else status


async def announce(cluster: Cluster, about: Json, announcement: Announcement, now: datetime) -> None:
    """Write an Event about an object, once: its name is made from what it says and the version of that."""
    meta = about["metadata"]
    identity = "/".join((meta["uid"], meta["resourceVersion"], announcement.reason, announcement.message))
    event = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {
            "name": f"{meta['name']}.{hashlib.sha256(identity.encode()).hexdigest()[:16]}",
            "namespace": meta["namespace"],
        },
        "involvedObject": {
            **{field: about[field] for field in ("apiVersion", "kind")},
            **{field: meta[field] for field in ("namespace", "name", "uid", "resourceVersion")},
        },
        "type": announcement.type,
        "reason": announcement.reason,
        "message": announcement.message[:_MESSAGE_LIMIT],
        "source": {"component": MANAGER},
        "reportingComponent": MANAGER,
        "reportingInstance": MANAGER,
        "firstTimestamp": text(now),
        "lastTimestamp": text(now),
        "count": 1,
    }
    try:
        await cluster.create(event)
    except ApiError as error:
        if error.status != CONFLICT:
            raise


CONFLICT = 409
_MESSAGE_LIMIT = 1000
"""Kubernetes refuses events with more than 1,024 characters."""
