"""What the API server refused of a child, told by the fields of the spec that it was made of. Pure."""

from __future__ import annotations

import re

from reasoning_contract.problem import Problem

from . import names
from .acceptance import Verdict
from .children.table import built
from .model import Json, TrainingJob
from .settings import Settings

_POD = "spec.template.spec."
_FIELD = re.compile(r"(?<![\w.])spec\.template\.(spec\.|metadata\.)?[\w.]+(\[\w+\][\w.]*)*")
_HANDED_ON = (
    "nodeSelector",
    "tolerations",
    "affinity",
    "imagePullSecrets",
    "priorityClassName",
    "runtimeClassName",
    "serviceAccountName",
)
_OF_THE_CONTAINER = ("image", "imagePullPolicy", "envFrom", "resources")
_PREFIXES = (
    *((f"{_POD}{name}", f"spec.pod.{name}") for name in _HANDED_ON),
    *((f"{_POD}containers[0].{name}", f"spec.pod.{name}") for name in _OF_THE_CONTAINER),
    (f"{_POD}initContainers[0].resources", "spec.rewardBox.resources"),
    *(
        (f"spec.template.{at}{name}", f"spec.pod.{name}")
        for at in ("", "metadata.")
        for name in ("labels", "annotations")
    ),
)


def refused(message: str, verdict: Verdict, settings: Settings) -> Problem:
    """Return the refusal of a job for which the API server refused a child.

    Parameters
    ----------
    message
        What the API server said.
    verdict
        The job, where it was accepted.
    settings
        Settings of the operator, by which the child was made.
    """
    fields: list[str] = []
    is_preflights = isinstance(verdict, TrainingJob) and f'"{names.preflight(verdict.name)}"' in message
    role = "preflight" if is_preflights else "batch_job"

    def tell(found: re.Match[str]) -> str:
        field = _field(found[0], role, verdict, settings) if isinstance(verdict, TrainingJob) else None
        fields.extend([field] if field else [])
        return field or found[0]

    told = _FIELD.sub(tell, message)
    hint = "correct what the message names, or spec.pod, suspended if a pod has run: it is tried again"
    return Problem(
        reason="ChildRefused",
        message=f"the API server refuses an object of this job: {told}",
        hint=hint,
        field=fields[0] if fields else None,
    )


def _field(path: str, role: str, job: TrainingJob, settings: Settings) -> str | None:
    """Return the field of the spec that a field of the Job was made of; None if it is the operator's own."""
    for prefix, field in _PREFIXES:
        if path == prefix or path.startswith((f"{prefix}.", f"{prefix}[")):
            return field + path.removeprefix(prefix)
    return _in_list(path, role, job, settings)


def _in_list(path: str, role: str, job: TrainingJob, settings: Settings) -> str | None:
    """Return the field of a volume, mount or variable: the user's stand behind the operator's own."""
    template: Json = (built(job, settings)[role] or {})["spec"]["template"]["spec"]
    pod = job.spec.pod
    lists = (
        (f"{_POD}volumes", "volumes", len(template["volumes"]) - len(pod.volumes)),
        (f"{_POD}containers[0].env", "env", len(template["containers"][0]["env"]) - len(pod.env)),
        (
            f"{_POD}containers[0].volumeMounts",
            "volumeMounts",
            len(template["containers"][0]["volumeMounts"]) - len(pod.volume_mounts),
        ),
    )
    for prefix, field, own in lists:
        found = re.fullmatch(rf"{re.escape(prefix)}\[(\d+)\](.*)", path)
        if found and int(found[1]) >= own:
            return f"spec.pod.{field}[{int(found[1]) - own}]{found[2]}"
    return None
