"""What is read of each kind of object: nothing else is kept, and what changes nothing of it is no news. Pure.

A cluster speaks of a thousand jobs that wait many times a second: a repeated event, a heartbeat in a status, another
controller's annotation. A module that begins to read a field names it here; tests see objects cut in the same way.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from reasoning_contract.api import GROUP

from .kinds import CLAIM, CONFIG_MAP, EVENT, JOB, NETWORK_POLICY, POD, TRAINING_JOB, Kind
from .model import Json

Shape: TypeAlias = "Mapping[str, Shape] | None"
"""Fields that are kept, each with the shape of its value, or of each item where that is a list; None: all of it."""

SELECTED_NODE = "volume.kubernetes.io/selected-node"
"""Annotation of a claim: where its volume is to be made, once the scheduler has chosen."""
READ_REASONS = frozenset(
    (
        *("FailedCreate", "FailedMount", "FailedAttachVolume"),
        *("ProvisioningFailed", "FailedBinding", "ExternalProvisioning"),
    )
)
"""Reasons of events that tell why something does not start; the scheduler's are in the pod's conditions."""
_READ_CONDITIONS = ("PodScheduled", "DisruptionTarget")
"""Conditions of a pod; its others follow each probe."""


def _all(*names: str) -> Shape:
    return dict.fromkeys(names)


_METADATA = _all(
    *("namespace", "name", "uid", "resourceVersion", "generation", "creationTimestamp", "deletionTimestamp"),
    *("labels", "annotations", "ownerReferences"),
)
_CONDITION = _all("type", "status", "reason", "message", "lastTransitionTime")
_CONTAINER_STATUS = _all("name", "state")
_POD_STATUS: Shape = {
    **dict.fromkeys(("phase", "reason", "message", "podIP")),
    "conditions": _CONDITION,
    "containerStatuses": _CONTAINER_STATUS,
    "initContainerStatuses": _CONTAINER_STATUS,
}
_SHAPES: Mapping[Kind, Shape] = {
    TRAINING_JOB: _all("spec", "status"),
    CONFIG_MAP: _all("data"),
    NETWORK_POLICY: _all("spec"),
    CLAIM: {"spec": _all("storageClassName", "resources"), "status": _all("phase")},
    JOB: {
        "spec": _all("suspend", "parallelism", "completions", "backoffLimit", "activeDeadlineSeconds"),
        "status": {"conditions": _CONDITION},
    },
    POD: {"spec": {"containers": _all("name", "image"), "nodeName": None}, "status": _POD_STATUS},
    EVENT: {"involvedObject": _all("uid"), "reason": None, "message": None},
}


def is_read(kind: Kind, thing: Json) -> bool:
    """Whether anything is read of an object: of events, those alone that tell why something does not start."""
    return kind is not EVENT or thing.get("reason") in READ_REASONS


def cut(kind: Kind, thing: Json) -> Json:
    """Return what is read of an object, without its kind and version.

    Parameters
    ----------
    kind
        Its kind.
    thing
        The object as it came; it is not changed, and the result shares parts with it.
    """
    kept: Json = {"metadata": _metadata(thing["metadata"]), **_cut(thing, _SHAPES[kind])}
    if kind is POD and "conditions" in kept.get("status", {}):
        kept["status"]["conditions"] = [
            each for each in kept["status"]["conditions"] if each["type"] in _READ_CONDITIONS
        ]
    return kept


def _cut(value: Any, shape: Shape) -> Any:
    if shape is None:
        return value
    if isinstance(value, list):
        return [_cut(each, shape) for each in value]
    if not isinstance(value, dict):
        return value
    return {name: _cut(value[name], inner) for name, inner in shape.items() if name in value}


def _metadata(meta: Json) -> Json:
    kept: Json = _cut(meta, _METADATA)
    annotations = {name: value for name, value in (kept.pop("annotations", None) or {}).items() if _is_ours(name)}
    return kept | ({"annotations": annotations} if annotations else {})


def _is_ours(annotation: str) -> bool:
    return annotation.startswith(f"{GROUP}/") or annotation == SELECTED_NODE
