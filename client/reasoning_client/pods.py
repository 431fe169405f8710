"""Pods of a job and their logs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from reasoning_contract.api import BOX_CONTAINER, CONTAINER, JOB_LABEL, UID_LABEL

from .errors import ClientError, Exit
from .kube import Cluster

Json = dict[str, Any]


def choose(cluster: Cluster, document: Mapping[str, Any], *, previous: bool = False, preflight: bool = False) -> Json:
    """Return the newest pod of a job, of its training or else of its preflight.

    Parameters
    ----------
    cluster
        The cluster.
    document
        The job.
    previous
        The pod before that one.
    preflight
        Of the check before the training alone.

    Raises
    ------
    ClientError
        If there is none.
    """
    meta = document["metadata"]
    pods = cluster.pods(f"{JOB_LABEL}={meta['name']},{UID_LABEL}={meta['uid']}")
    checks = [pod for pod in pods if _is_preflight(pod, meta["name"])]
    trains = [pod for pod in pods if pod not in checks]
    found = checks if preflight else trains or checks
    wanted = 2 if previous else 1
    if len(found) < wanted:
        what = "attempt before the last" if previous else "preflight" if preflight else "pod"
        raise ClientError(
            f"{meta['name']} has no {what} whose log is still there",
            f"rtj why {meta['name']} says how it stands; report and samples read what is on its volume",
            Exit.NOT_FOUND,
        )
    return found[-wanted]


def _is_preflight(pod: Mapping[str, Any], job: str) -> bool:
    owners = pod["metadata"].get("ownerReferences") or []
    return any(owner["name"] == f"{job}-preflight" for owner in owners)


def log(cluster: Cluster, pod: Mapping[str, Any], *, box: bool, follow: bool, tail: int | None) -> Iterator[bytes]:
    """Yield the log of a pod's trainer, or of its reward box, line by line."""
    query = {"container": BOX_CONTAINER if box else CONTAINER}
    query |= {"follow": "true"} if follow else {}
    query |= {"tailLines": str(tail)} if tail is not None else {}
    for line in cluster.lines(cluster.core("pods", pod["metadata"]["name"], "log"), query):
        yield line + b"\n"
