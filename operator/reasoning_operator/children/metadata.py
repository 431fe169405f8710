"""What all children carry: name, labels and owner."""

from __future__ import annotations

from collections.abc import Mapping

from reasoning_contract.api import API_VERSION, JOB_LABEL, KIND, MANAGER, UID_LABEL

from ..model import Json, TrainingJob


def labels(job: TrainingJob) -> dict[str, str]:
    """Return the labels of every child."""
    return {
        "app.kubernetes.io/name": "reasoning-trainer",
        "app.kubernetes.io/component": "training",
        "app.kubernetes.io/managed-by": MANAGER,
        JOB_LABEL: job.name,
        UID_LABEL: job.uid,
    }


def owner(job: TrainingJob) -> Json:
    """Return the reference by which Kubernetes deletes a child with its job."""
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "name": job.name,
        "uid": job.uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }


def metadata(job: TrainingJob, name: str, *, annotations: Mapping[str, str] | None = None, owned: bool = True) -> Json:
    """Return the metadata of a child.

    Parameters
    ----------
    job
        The job.
    name
        Name of the child.
    annotations
        Annotations, if it has any.
    owned
        Whether it goes when the job is deleted.
    """
    result: Json = {"name": name, "namespace": job.namespace, "labels": labels(job)}
    if annotations:
        result["annotations"] = dict(annotations)
    if owned:
        result["ownerReferences"] = [owner(job)]
    return result
