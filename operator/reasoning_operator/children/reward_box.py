"""The container beside the trainer in which Python rewards run; Kubernetes ends it with the trainer."""

from __future__ import annotations

from reasoning_contract.api import BOX_CONTAINER, BOX_FOLDER, BOX_SOCKET
from reasoning_contract.spec import Resources, Spec

from ..model import Json, TrainingJob
from ..names import box_user

_SHARED, _TMP = "box", "box-tmp"
_LIMITS = {"cpu": "1", "memory": "2Gi"}
_REQUESTS = {"cpu": "100m", "memory": "256Mi"}
_MEMORY = "BOX_MEMORY"
NO_GPUS = {"name": "NVIDIA_VISIBLE_DEVICES", "value": "void"}
"""Images made from CUDA's ask for all GPUs, which NVIDIA's runtime gives to a container that asks for none."""


def is_needed(spec: Spec) -> bool:
    """Whether a job has code of its user's or its model's to run."""
    return any(reward.runs_code for reward in spec.rewards)


def build(job: TrainingJob, image: str) -> Json:
    """Return the container: the trainer's image with no GPU, token, Secret or claim, under a user of its own.

    Parameters
    ----------
    job
        The job.
    image
        The trainer's image.
    """
    user = box_user(job.uid)
    return {
        "name": BOX_CONTAINER,
        "image": image,
        "imagePullPolicy": job.spec.pod.image_pull_policy,
        # which makes of an init container one that runs beside the others
        "restartPolicy": "Always",
        "command": ["python3", "-m", "reasoning_trainer.rewards.box"],
        "args": ["--socket", BOX_SOCKET, "--tmp", "/tmp", "--memory", f"$({_MEMORY})"],
        "workingDir": "/tmp",
        "env": [
            {"name": "HOME", "value": "/tmp"},
            NO_GPUS,
            {"name": _MEMORY, "valueFrom": {"resourceFieldRef": {"resource": "limits.memory"}}},
        ],
        "resources": _resources(job.spec.reward_box.resources),
        "volumeMounts": [{"name": _SHARED, "mountPath": BOX_FOLDER}, {"name": _TMP, "mountPath": "/tmp"}],
        "securityContext": {
            "runAsUser": user,
            "runAsGroup": user,
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }


def _resources(given: Resources) -> Json:
    """Return limits and requests; of what the user limits, Kubernetes requests as much unless the user says less."""
    requests = {name: quantity for name, quantity in _REQUESTS.items() if name not in given.limits}
    return {"requests": requests | given.requests, "limits": limits(given)}


def limits(given: Resources) -> dict[str, str]:
    """Return what the container may use: what the user says, and the defaults for the rest."""
    return _LIMITS | given.limits


def volumes() -> list[Json]:
    """Return the volumes: that of the socket, and the box's own for small files, which counts as its memory."""
    return [
        {"name": _SHARED, "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}},
        {"name": _TMP, "emptyDir": {"medium": "Memory", "sizeLimit": "64Mi"}},
    ]


def mount() -> Json:
    """Return where the trainer sees the socket."""
    return {"name": _SHARED, "mountPath": BOX_FOLDER}
