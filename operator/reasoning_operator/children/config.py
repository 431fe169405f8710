"""The ConfigMap with the spec that the trainer runs."""

from __future__ import annotations

import hashlib
import json

from reasoning_contract.api import API_VERSION, KIND, SPEC_HASH
from reasoning_contract.spec.nature import pick

from ..model import Json, TrainingJob
from ..names import spec_config_map
from .metadata import metadata

KEY = "job.json"
_BUDGET = "gpuHours"
"""The one limit that the trainer holds."""


def build(job: TrainingJob) -> Json:
    """Return the ConfigMap: the job's manifest, and beside its spec what was chosen for it."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata(job, spec_config_map(job.name)),
        "data": {KEY: _text(_manifest(job))},
    }


def for_attempts_of(batch_job: Json, live: Json, wanted: Json, budget: float | None) -> Json:
    """Return the ConfigMap for the next attempt of a Job that is at work.

    What the Job was made with stays as it is: its image may be of an earlier version, which refuses a field that it
    does not know. Only the budget is brought up to date. What somebody else wrote there is written anew.

    Parameters
    ----------
    batch_job
        The Job.
    live
        The ConfigMap as it is.
    wanted
        The ConfigMap as this version would make it.
    budget
        GPU-hours that the job may take; None without a limit.
    """
    text = live.get("data", {}).get(KEY, "")
    made_with = batch_job["metadata"].get("annotations", {}).get(SPEC_HASH)
    try:
        manifest = json.loads(text)
        if made_with not in (None, _hash(manifest)):
            return wanted
        limits = dict(manifest["spec"]["limits"])
    except (ValueError, TypeError, KeyError, AttributeError):  # no manifest at all
        return wanted
    if limits.pop(_BUDGET, None) != budget:
        manifest["spec"]["limits"] = limits if budget is None else limits | {_BUDGET: budget}
        text = _text(manifest)
    return wanted | {"data": {KEY: text}}


def hash_of(config_map: Json) -> str | None:
    """Return the hash of the spec that a ConfigMap holds; None if it holds none."""
    try:
        return _hash(json.loads(config_map.get("data", {}).get(KEY, "")))
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def spec_hash(job: TrainingJob) -> str:
    """Return the hash of the spec that the trainer gets, its budget aside."""
    return _hash(_manifest(job))


def _manifest(job: TrainingJob) -> Json:
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {"name": job.name, "namespace": job.namespace, "uid": job.uid},
        "spec": pick(job.given, lambda nature: nature.is_trainers),
        "choice": job.choice.model_dump(by_alias=True),
    }


def _text(manifest: Json) -> str:
    return json.dumps(manifest, indent=2, ensure_ascii=False)


def _hash(manifest: Json) -> str:
    limits = {name: value for name, value in manifest["spec"]["limits"].items() if name != _BUDGET}
    lasting = manifest | {"spec": manifest["spec"] | {"limits": limits}}
    return hashlib.sha256(json.dumps(lasting, sort_keys=True).encode()).hexdigest()[:16]
