"""Gathers a job and what is around it: from the store, and live where no watch would tell or a mistake would last."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import ValidationError

from reasoning_contract.api import JOB_LABEL, UID_LABEL
from reasoning_contract.problem import Problem
from reasoning_contract.progress import Progress

from . import names, pods
from .changing import retry_asked
from .children.table import TABLE, Row
from .client import Cluster, path
from .inputs import output_claim_of, references
from .job_defaults import with_defaults
from .kept import cut
from .kinds import CLAIM, JOB, POD, TRAINING_JOB, Kind, kind_of
from .model import FINISHED, Json, Key, Observed
from .specs import decide
from .store import Store

_LASTING = ("batch_job", "claim")
"""Children of which a run that has begun is lost, or begun twice, if they are wrongly taken for gone."""


async def observe(
    store: Store,
    cluster: Cluster,
    key: Key,
    progress: Mapping[str, Progress],
    silent: Mapping[str, Problem],
    defaults: str = "",
) -> Observed | None:
    """Return what is there; None if the job itself is gone.

    Parameters
    ----------
    store
        What the watches have brought.
    cluster
        The API server, for what they do not bring.
    key
        Which job.
    progress
        Reports that were heard from pods, by the pod's UID.
    silent
        Why nothing is heard of a running pod, by the pod's UID.
    defaults
        Values for fields that the job leaves empty.
    """
    given = store.get(TRAINING_JOB, *key)
    if given is None:
        return None
    job = {**given, "spec": with_defaults(given["spec"], defaults)} if defaults else given
    # all that may be left to do is to end its Jobs
    if job.get("status", {}).get("phase") in FINISHED and not retry_asked(Observed(job)):
        jobs = [row for row in TABLE if row.kind is JOB]
        return Observed(job, **await _children(store, cluster, jobs, job))
    children = await _children(store, cluster, TABLE, job)
    live_job, claim = children["batch_job"], children["claim"]
    own_pods = tuple(pod for pod in store.pods(key) if pods.belongs(pod, job, live_job))
    uids = {pod["metadata"]["uid"] for pod in own_pods}
    preflight = children["preflight"]
    checking = tuple(pod for pod in store.pods(key) if pods.belongs(pod, job, preflight, names.preflight))
    about = [thing for thing in (claim, *(own_pods or (live_job,)), *(checking or (preflight,))) if thing]
    return Observed(
        job=job,
        asked=given["spec"] if defaults else None,
        **children,
        pods=own_pods,
        preflight_pods=checking,
        inputs=None if live_job else await _inputs(store, cluster, key.namespace, job["spec"]),
        events=store.events([thing["metadata"]["uid"] for thing in about]),
        progress={uid: progress[uid] for uid in uids & progress.keys()},
        silent={uid: silent[uid] for uid in uids & silent.keys()},
    )


async def take_in(store: Store, cluster: Cluster, kind: Kind, name: Key) -> Json | None:
    """Have the store know an object as it is now, which its watch may bring later or, if it has no label, never."""
    found = await cluster.get(path(kind, *name))
    if found is None:
        store.gone(kind, name)
    elif kind in (TRAINING_JOB, CLAIM) or found["metadata"].get("labels", {}).get(JOB_LABEL):
        store.put(kind, found)
    else:
        store.put_unwatched(kind, found)
    return found


async def alive(store: Store, cluster: Cluster, job: Json) -> bool:
    """Whether a pod of a job is not over by what the API server says now; the store is told of each."""
    meta = job["metadata"]
    labels = f"{JOB_LABEL}={meta['name']},{UID_LABEL}={meta['uid']}"
    found = await cluster.list(path(POD, meta["namespace"]), {"labelSelector": labels})
    for pod in found:
        store.put(POD, pod)
    return any(pods.belongs(pod, job, None) and not pods.is_over(pod) for pod in found)


async def _children(store: Store, cluster: Cluster, rows: Iterable[Row], job: Json) -> dict[str, Any]:
    return {row.role: await _child(store, cluster, row, job) for row in rows}


async def _child(store: Store, cluster: Cluster, row: Row, job: Json) -> Json | None:
    """Return the object under a child's name, whoever made it."""
    namespace = job["metadata"]["namespace"]
    named = output_claim_of(job) if row.role == "claim" else row.name(job["metadata"]["name"])
    found, name = store.get(row.kind, namespace, named), Key(namespace, named)
    begun = "startTime" in job.get("status", {})
    if (found is None and begun and row.role in _LASTING) or not store.is_watched(row.kind, name):
        found = await cluster.get(path(row.kind, *name))
        return found and {"apiVersion": row.kind.api_version, "kind": row.kind.name, **cut(row.kind, found)}
    return found


async def _inputs(
    store: Store, cluster: Cluster, namespace: str, spec: Json
) -> Mapping[tuple[str, str], frozenset[str]]:
    """Look up what the spec refers to; a spec that cannot be read refers to nothing, and is refused elsewhere."""
    try:
        wanted = {(each.kind, each.name) for each in references(decide(spec).given)}
    except ValidationError:
        return {}
    ordered = sorted(wanted)
    found = await asyncio.gather(*(_input(store, cluster, kind, Key(namespace, name)) for kind, name in ordered))
    there = {which: each for which, each in zip(ordered, found, strict=True) if each}
    return {which: frozenset([*each.get("data", {}), *each.get("binaryData", {})]) for which, each in there.items()}


async def _input(store: Store, cluster: Cluster, kind: str, name: Key) -> Json | None:
    if kind == CLAIM.name:  # all of them are watched
        return store.get(CLAIM, *name)
    return await cluster.get(path(kind_of("v1", kind), *name))
