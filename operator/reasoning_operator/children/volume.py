"""The claim for checkpoints, adapters and reports."""

from __future__ import annotations

from reasoning_contract.api import JOB_LABEL

from ..model import Json, TrainingJob
from ..names import output_claim
from .metadata import metadata


def claim_name(job: TrainingJob) -> str:
    """Return the claim that a job writes to: the user's, or the one that is made."""
    return job.spec.storage.existing_claim or output_claim(job.name)


def build(job: TrainingJob) -> Json:
    """Return the claim that is made for a job. With storage.retain it has no owner, so that it outlives the job."""
    storage = job.spec.storage
    spec: Json = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": storage.size}}}
    if storage.storage_class_name:
        spec["storageClassName"] = storage.storage_class_name
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": metadata(job, output_claim(job.name), owned=not storage.retain),
        "spec": spec,
    }


def outlives(claim: Json, job: str) -> bool:
    """Whether a claim was made for a job and stays when that is deleted."""
    meta = claim["metadata"]
    goes = meta.get("ownerReferences") or meta.get("deletionTimestamp")
    return meta.get("labels", {}).get(JOB_LABEL) == job and not goes
