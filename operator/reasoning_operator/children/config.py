"""The ConfigMap with the spec that the trainer runs."""

from __future__ import annotations

import hashlib
import json

from ..crd import KIND
from ..model import Json, TrainingJob
from ..names import API_VERSION, SPEC_HASH, spec_config_map
from .metadata import metadata

KEY = "job.json"
_BUDGET = "gpuHours"


def build(job: TrainingJob) -> Json:
    """Return the ConfigMap: the job's manifest with every choice made."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata(job, spec_config_map(job.name)),
        "data": {KEY: _text(_manifest(job))},
    }


def for_attempts_of(batch_job: Json, live: Json, job: TrainingJob) -> Json:
    """Return the ConfigMap for the next attempt of a Job that is at work.

    What the Job was made with stays as it is: its image may be of an earlier version, which refuses a field that it
    does not know. Only the budget is brought up to date, the one limit that the trainer holds: limits may change at any
    time. What somebody else wrote there is written anew.

    Parameters
    ----------
    batch_job
        The Job.
    live
        The ConfigMap as it is.
    job
        The job as this version reads it.
    """
    wanted, text = build(job), live.get("data", {}).get(KEY, "")
    made_with = batch_job["metadata"].get("annotations", {}).get(SPEC_HASH)
    try:
        manifest = json.loads(text)
        limits = manifest["spec"]["limits"]
        if made_with != _hash(manifest):
            return wanted
    except (ValueError, TypeError, KeyError):  # no manifest at all
        return wanted
    budget = job.spec.limits.gpu_hours
    if limits.get(_BUDGET) != budget:
        others = {name: value for name, value in limits.items() if name != _BUDGET}
        manifest["spec"]["limits"] = others if budget is None else others | {_BUDGET: budget}
        text = _text(manifest)
    return wanted | {"data": {KEY: text}}


def spec_hash(job: TrainingJob) -> str:
    """Return the hash of the spec that the trainer gets, limits aside."""
    return _hash(_manifest(job))


def _manifest(job: TrainingJob) -> Json:
    spec = job.spec.model_dump(by_alias=True, exclude_none=True)
    del spec["suspend"]  # the operator's business: with it here, suspending would look like another spec
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {"name": job.name, "namespace": job.namespace, "uid": job.uid},
        "spec": spec,
    }


def _text(manifest: Json) -> str:
    return json.dumps(manifest, indent=2, ensure_ascii=False)


def _hash(manifest: Json) -> str:
    lasting = manifest | {"spec": manifest["spec"] | {"limits": None}}
    return hashlib.sha256(json.dumps(lasting, sort_keys=True).encode()).hexdigest()[:16]
