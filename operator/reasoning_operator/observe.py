"""Reads a job and everything around it, straight from the API server."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from pydantic import ValidationError

from reasoning_contract.api import UID_LABEL
from reasoning_contract.problem import Problem
from reasoning_contract.progress import Progress
from reasoning_contract.spec import Spec

from . import pods
from .client import Cluster, path
from .inputs import output_claim_of, references
from .kinds import CLAIM, CONFIG_MAP, EVENT, JOB, NETWORK_POLICY, POD, TRAINING_JOB, Kind, kind_of
from .model import FINISHED, Json, Key, Observed
from .names import batch_job, network_policy, spec_config_map


async def observe(
    cluster: Cluster, key: Key, progress: Mapping[str, Progress], silent: Mapping[str, Problem]
) -> Observed | None:
    """Return what is there; None if the job itself is gone.

    Parameters
    ----------
    cluster
        The API server.
    key
        Which job.
    progress
        Reports that were heard from pods, by the pod's UID.
    silent
        Why nothing is heard of a running pod, by the pod's UID.
    """
    job = await _get(cluster, TRAINING_JOB, *key)
    if job is None:
        return None
    if job.get("status", {}).get("phase") in FINISHED:  # all that may be left to do is to end its Job
        return Observed(job, await _get(cluster, JOB, key.namespace, batch_job(key.name)))
    live_job, claim, config_map, policy, own_pods = await asyncio.gather(
        _get(cluster, JOB, key.namespace, batch_job(key.name)),
        _get(cluster, CLAIM, key.namespace, output_claim_of(job)),
        _get(cluster, CONFIG_MAP, key.namespace, spec_config_map(key.name)),
        _get(cluster, NETWORK_POLICY, key.namespace, network_policy(key.name)),
        _pods(cluster, key.namespace, job["metadata"]["uid"]),
    )
    return Observed(
        job=job,
        batch_job=live_job,
        claim=claim,
        config_map=config_map,
        network_policy=policy,
        pods=own_pods,
        inputs=None if live_job else await _inputs(cluster, key.namespace, job["spec"]),
        events=await _events(cluster, key.namespace, live_job, claim, own_pods),
        progress=dict(progress),
        silent=dict(silent),
    )


async def _get(cluster: Cluster, kind: Kind, namespace: str, name: str) -> Json | None:
    found = await cluster.get(path(kind, namespace, name))
    return found and {**found, "apiVersion": kind.api_version, "kind": kind.name}


async def _pods(cluster: Cluster, namespace: str, uid: str) -> tuple[Json, ...]:
    found = await cluster.list(path(POD, namespace), {"labelSelector": f"{UID_LABEL}={uid}"})
    return tuple(sorted(found, key=lambda pod: (pod["metadata"]["creationTimestamp"], pod["metadata"]["name"])))


async def _inputs(cluster: Cluster, namespace: str, spec: Json) -> Mapping[tuple[str, str], frozenset[str]]:
    """Look up what the spec refers to; a spec that cannot be read refers to nothing, and is refused elsewhere."""
    try:
        wanted = {(each.kind, each.name) for each in references(Spec.model_validate(spec))}
    except ValidationError:
        return {}
    ordered = sorted(wanted)
    found = await asyncio.gather(*(_get(cluster, kind_of("v1", kind), namespace, name) for kind, name in ordered))
    there = {which: each for which, each in zip(ordered, found, strict=True) if each}
    return {which: frozenset([*each.get("data", {}), *each.get("binaryData", {})]) for which, each in there.items()}


async def _events(
    cluster: Cluster, namespace: str, live_job: Json | None, claim: Json | None, own_pods: tuple[Json, ...]
) -> tuple[Json, ...]:
    """Read the events about what may keep a job from starting: its claim, and its pod or, without one, its Job."""
    if live_job is None or pods.job_end(live_job) or live_job["spec"].get("suspend"):
        return ()
    last = own_pods[-1] if own_pods else None
    if last and (pods.is_running(last) or pods.is_over(last)):
        return ()
    unbound = claim if claim and claim.get("status", {}).get("phase") == "Pending" else None
    about = [thing["metadata"]["uid"] for thing in (unbound, last or live_job) if thing]
    selectors = [{"fieldSelector": f"involvedObject.uid={uid}"} for uid in about]
    lists = await asyncio.gather(*(cluster.list(path(EVENT, namespace), selector) for selector in selectors))
    return tuple(sorted((event for found in lists for event in found), key=_when))


def _when(event: Json) -> str:
    return str(event.get("lastTimestamp") or event.get("eventTime") or event["metadata"]["creationTimestamp"])
