"""The batch/v1 Job that checks a job without a GPU, before the Job that asks for one is made."""

from __future__ import annotations

from reasoning_contract.api import CLAIM_FOLDER, INPUT_FOLDER
from reasoning_contract.spec import Spec

from ..model import Json, TrainingJob
from ..names import preflight
from ..settings import Settings
from . import config, pod, training_job
from .metadata import metadata
from .reward_box import NO_GPUS

COMPONENT = "preflight"
"""Value of the label that tells its pod, which serves nothing, from those that train."""
_RETRIES = 6
"""Of what may pass, such as a Hub that does not answer: with Kubernetes' pauses, about ten minutes."""
_REQUESTS = {"cpu": "500m", "memory": "2Gi"}
_NATIVE = ("cpu", "memory", "ephemeral-storage")
_TRAINING_ALONE = ("output", "shared-memory")
"""Volumes that the pod does without: a claim that is bound where its first pod runs must wait for the GPU's node."""
_SERVING = ("ports", "startupProbe", "livenessProbe")


def is_wanted(spec: Spec) -> bool:
    """Whether a job is checked before its Job is made."""
    enabled = spec.guards.preflight.enabled
    return spec.parallelism.gpus_per_node > 0 if enabled is None else enabled


def build(job: TrainingJob, settings: Settings) -> Json:
    """Return the Job.

    Parameters
    ----------
    job
        The job.
    settings
        Settings of the operator, for the image.
    """
    template = _template(job, settings)
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": metadata(job, preflight(job.name), annotations=training_job.hashes(job, template)),
        "spec": {
            "parallelism": 1,
            "completions": 1,
            "backoffLimit": _RETRIES,
            "suspend": job.spec.suspend,
            "podReplacementPolicy": "Failed",
            "podFailurePolicy": training_job.failure_policy(),
            "template": template,
        },
    }


def _template(job: TrainingJob, settings: Settings) -> Json:
    """Return the trainer's pod less its GPUs and what it writes to: same image, inputs, token, cache and placement."""
    trainers = pod.build(job, settings)
    meta, spec = trainers["metadata"], trainers["spec"]
    labels = meta["labels"] | {"app.kubernetes.io/component": COMPONENT}
    volumes = [each for each in spec["volumes"] if each["name"] not in _TRAINING_ALONE]
    containers = [_container(job, each) for each in spec["containers"]]
    return {"metadata": meta | {"labels": labels}, "spec": spec | {"containers": containers, "volumes": volumes}}


def _container(job: TrainingJob, trainer: Json) -> Json:
    kept = {name: value for name, value in trainer.items() if name not in _SERVING}
    return kept | {
        "args": [
            "check",
            f"{INPUT_FOLDER}/{config.KEY}",
            *("--configmaps", f"{INPUT_FOLDER}/configmaps"),
            *("--claims", CLAIM_FOLDER),
            *("--termination-log", "/dev/termination-log"),
        ],
        "env": [*(each for each in trainer["env"] if each["name"] != NO_GPUS["name"]), NO_GPUS],
        "resources": _resources(job),
        "volumeMounts": [each for each in trainer["volumeMounts"] if each["name"] not in _TRAINING_ALONE],
    }


def _resources(job: TrainingJob) -> Json:
    """Return what the trainer may use, without devices; where it asks for nothing, a little."""
    given = job.spec.pod.resources
    limits = {name: given.limits[name] for name in _NATIVE if name in given.limits}
    asked = {name: given.requests[name] for name in _NATIVE if name in given.requests}
    requests = {name: quantity for name, quantity in _REQUESTS.items() if name not in limits} | asked
    return {"requests": requests} | ({"limits": limits} if limits else {})
