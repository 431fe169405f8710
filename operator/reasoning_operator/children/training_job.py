"""The batch/v1 Job that runs the training pod, and again after what is worth another attempt."""

from __future__ import annotations

import hashlib
import json

from reasoning_contract.api import CONTAINER, SPEC_HASH, TEMPLATE_HASH
from reasoning_contract.exit_codes import USERS_FAULT, ExitCode
from reasoning_contract.spec import Limits

from ..model import Json, TrainingJob
from ..names import batch_job
from ..settings import Settings
from . import config, pod
from .metadata import metadata


def build(job: TrainingJob, settings: Settings) -> Json:
    """Return the Job.

    Its own ttlSecondsAfterFinished stays unset: a Job that vanished would look like one that has yet to be made. The
    operator deletes the whole ReasoningTrainingJob instead, when spec.limits.ttlSecondsAfterFinished has passed.

    Parameters
    ----------
    job
        The job.
    settings
        Settings of the operator, for the image.
    """
    template = pod.build(job, settings)
    meta = metadata(job, batch_job(job.name), annotations=hashes(job, template))
    spec = {
        **{
            name: value
            for name, value in changeable(job.spec.limits, suspend=job.spec.suspend).items()
            if value is not None
        },
        "completions": 1,
        "podReplacementPolicy": "Failed",
        "podFailurePolicy": failure_policy(),
        "template": template,
    }
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": meta, "spec": spec}


def changeable(limits: Limits, *, suspend: bool | None) -> Json:
    """Return the fields of the Job's spec that Kubernetes lets be changed; None for one that should not be there.

    Parameters
    ----------
    limits
        The job's limits.
    suspend
        Whether it is to rest; None where that is not the operator's to say.
    """
    return {
        "parallelism": 1,
        "backoffLimit": limits.max_attempts - 1,
        **({} if suspend is None else {"suspend": suspend}),
        "activeDeadlineSeconds": limits.active_deadline_seconds,
    }


def failure_policy() -> Json:
    """Return which ends of a pod cost no attempt, and which end the job; any other costs one."""
    return {
        "rules": [
            {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
            {"action": "Ignore", "onExitCodes": _exit([int(ExitCode.INTERRUPTED)])},
            {"action": "FailJob", "onExitCodes": _exit([*USERS_FAULT])},
        ]
    }


def _exit(codes: list[int]) -> Json:
    return {"containerName": CONTAINER, "operator": "In", "values": codes}


def hashes(job: TrainingJob, template: Json) -> dict[str, str]:
    """Return the annotations of a Job that say what it is made with."""
    return {TEMPLATE_HASH: _hash(template), SPEC_HASH: config.spec_hash(job)}


def made_with(batch_job: Json) -> tuple[str | None, ...]:
    """Return the hashes of what a Job was made with; None for one that it does not carry."""
    annotations = batch_job["metadata"].get("annotations", {})
    return annotations.get(TEMPLATE_HASH), annotations.get(SPEC_HASH)


def _hash(template: Json) -> str:
    return hashlib.sha256(json.dumps(template, sort_keys=True).encode()).hexdigest()[:16]
