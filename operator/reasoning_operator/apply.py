"""The only module that writes to the cluster, but for the operator's own Lease."""

from __future__ import annotations

import hashlib
from datetime import datetime

from reasoning_contract.api import MANAGER
from reasoning_contract.job_status import Status

from .announcements import Announcement
from .client import ApiError, Cluster, path_of
from .model import Json, Observed, read_status
from .plan import Plan
from .status import as_json
from .times import text


async def apply(cluster: Cluster, plan: Plan) -> None:
    """Carry out a plan.

    Every request fails, rather than hit another object, if the cluster is no longer as it was observed: creation if the
    name is taken, and patches and deletions by the UID. The caller then starts over.
    """
    for thing in plan.delete:
        await cluster.delete(path_of(thing), thing["metadata"]["uid"])
    for live, patch in plan.patch:
        uid = {"uid": live["metadata"]["uid"]}
        await cluster.patch(path_of(live), patch | {"metadata": patch.get("metadata", {}) | uid})
    for child in plan.create:  # last: a Job that is made reads the spec as it is then
        await cluster.create(child)


async def write_status(cluster: Cluster, observed: Observed, new: Status) -> bool:
    """Write a status, unless it says what the object says already; refused if the object has changed since it was read.

    Returns
    -------
    bool
        Whether it was written.
    """
    status = to_write(observed.job, new)
    if status is None:
        return False
    await cluster.replace(path_of(observed.job, "status"), observed.job | {"status": status})
    return True


def to_write(job: Json, new: Status) -> Json | None:
    """Return a status as it is to be written; None if the object, as far as it can be read, says it already."""
    status = as_json(new)
    return None if status == as_json(read_status(job)) else status


async def announce(cluster: Cluster, job: Json, announcement: Announcement, now: datetime) -> None:
    """Write an Event. Its name is made from what it says and the object's version, so that it is written once."""
    meta = job["metadata"]
    identity = "/".join((meta["uid"], meta["resourceVersion"], announcement.reason, announcement.message))
    event = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {
            "name": f"{meta['name']}.{hashlib.sha256(identity.encode()).hexdigest()[:16]}",
            "namespace": meta["namespace"],
        },
        "involvedObject": {
            **{field: job[field] for field in ("apiVersion", "kind")},
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
        if error.status != 409:
            raise


_MESSAGE_LIMIT = 1000
"""Kubernetes refuses events with more than 1,024 characters."""
