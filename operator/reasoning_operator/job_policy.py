"""What a job may ask of the cluster, as its administrator says. Held against the spec as its user gave it. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, WithJsonSchema
from pydantic.alias_generators import to_camel

from reasoning_contract.rules import Fault
from reasoning_contract.spec import Pod, Spec

RESTRICTED = (
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "persistentVolumeClaim",
    "projected",
    "secret",
)
"""Kinds of volume that Pod Security "restricted" allows, the strictest of the Pod Security Standards of Kubernetes."""

VolumeKind = Annotated[str, Field(pattern=r"^[a-z][A-Za-z0-9]*$")]
Folder = Annotated[str, Field(pattern=r"^/([^/]+(/[^/]+)*)?$")]
Word = Annotated[str, Field(min_length=1, max_length=253)]


_FIELDS = {"type": "string", "enum": [str(field.alias) for field in Pod.model_fields.values()]}


def _of_pod(name: str) -> str:
    if name not in _FIELDS["enum"]:
        raise ValueError(f"{name} is no field of spec.pod: choose among {', '.join(_FIELDS['enum'])}")
    return name


class JobPolicy(BaseModel):
    """What a job may ask for. A list that is not given allows everything; an empty one nothing."""

    model_config = ConfigDict(
        alias_generator=to_camel, extra="forbid", frozen=True, populate_by_name=True, use_attribute_docstrings=True
    )

    images: tuple[Word, ...] | None = None
    """Trainer images that spec.pod.image may name; `*` stands for any text, as in registry.example.com/team/*."""
    volumes: tuple[VolumeKind, ...] = RESTRICTED
    """Kinds of volume in spec.pod.volumes."""
    host_paths: tuple[Folder, ...] = ()
    """Folders of the node that a hostPath volume may lie in, where volumes has hostPath."""
    service_accounts: tuple[Word, ...] | None = None
    """Names for spec.pod.serviceAccountName."""
    runtime_classes: tuple[Word, ...] | None = None
    """Names for spec.pod.runtimeClassName."""
    priority_classes: tuple[Word, ...] | None = None
    """Names for spec.pod.priorityClassName."""
    refused_fields: tuple[Annotated[str, AfterValidator(_of_pod), WithJsonSchema(_FIELDS)], ...] = ()
    """Fields of spec.pod that a job may not set, such as affinity or env."""
    max_gpus_per_node: Annotated[int, Field(ge=0)] | None = None
    """Most GPUs for spec.parallelism.gpusPerNode."""
    open_network: bool = True
    """Whether a job may do without its NetworkPolicy (spec.pod.networkPolicy: false)."""
    remote_code: bool = True
    """Whether a job may run code that a model's repository carries (spec.model.trustRemoteCode)."""


def policy_faults(given: Spec, policy: JobPolicy) -> list[Fault]:
    """Return what a job asks for that it may not have, field by field.

    Parameters
    ----------
    given
        The spec as its user gave it, without the administrator's defaults: those are allowed.
    policy
        What is allowed.
    """
    return [
        *_of_images(given.pod, policy),
        *_of_volumes(given.pod, policy),
        *_of_names(given.pod, policy),
        *_of_refused_fields(given.pod, policy),
        *_of_the_rest(given, policy),
    ]


def _allowed(words: tuple[str, ...]) -> str:
    return f"the administrator of this cluster allows {', '.join(words) if words else 'none'}"


def _of_images(pod: Pod, policy: JobPolicy) -> Iterator[Fault]:
    if pod.image is None or policy.images is None:
        return
    if not any(_pattern(each).fullmatch(pod.image) for each in policy.images):
        yield Fault("spec.pod.image", f"'{pod.image}' is not allowed: {_allowed(policy.images)}")


def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, text.split("*"))))


def _of_volumes(pod: Pod, policy: JobPolicy) -> Iterator[Fault]:
    why = " (Pod Security restricted)" if policy.volumes == RESTRICTED else ", as its administrator says"
    kinds = ", ".join(policy.volumes)
    advice = f"a pod may have {kinds}{why}: use one of these" if kinds else f"a pod may have no volumes{why}: remove it"
    for index, volume in enumerate(pod.volumes):
        for kind in (name for name, given in volume.items() if name != "name" and given is not None):
            at = f"spec.pod.volumes[{index}].{kind}"
            if kind not in policy.volumes:
                yield Fault(at, advice)
            elif kind == "hostPath" and not _is_within(volume[kind], policy.host_paths):
                yield Fault(f"{at}.path", f"is not within a folder that is allowed: {_allowed(policy.host_paths)}")


def _is_within(host_path: object, folders: tuple[str, ...]) -> bool:
    given = host_path.get("path") if isinstance(host_path, dict) else None
    if not isinstance(given, str) or not given.startswith("/") or ".." in given.split("/"):
        return False
    path = "/".join(["", *filter(lambda part: part not in ("", "."), given.split("/"))]) + "/"
    return any(path.startswith(folder.rstrip("/") + "/") for folder in folders)


def _of_names(pod: Pod, policy: JobPolicy) -> Iterator[Fault]:
    for field, name, allowed in (
        ("serviceAccountName", pod.service_account_name, policy.service_accounts),
        ("runtimeClassName", pod.runtime_class_name, policy.runtime_classes),
        ("priorityClassName", pod.priority_class_name, policy.priority_classes),
    ):
        if name is not None and allowed is not None and name not in allowed:
            yield Fault(f"spec.pod.{field}", f"'{name}' is not allowed: {_allowed(allowed)}")


def _of_refused_fields(pod: Pod, policy: JobPolicy) -> Iterator[Fault]:
    for name, field in Pod.model_fields.items():
        untouched = field.get_default(call_default_factory=True)
        if field.alias in policy.refused_fields and getattr(pod, name) != untouched:
            yield Fault(f"spec.pod.{field.alias}", "the administrator of this cluster lets no job set it: remove it")


def _of_the_rest(given: Spec, policy: JobPolicy) -> Iterator[Fault]:
    most, asked = policy.max_gpus_per_node, given.parallelism.gpus_per_node
    if most is not None and asked > most:
        advice = f"{asked} are more than the administrator of this cluster allows: set it to {most} or less"
        yield Fault("spec.parallelism.gpusPerNode", advice)
    if not policy.open_network and not given.pod.network_policy:
        advice = "the administrator of this cluster wants a NetworkPolicy around every job: remove it"
        yield Fault("spec.pod.networkPolicy", advice)
    if not policy.remote_code and given.model.trust_remote_code:
        advice = "the administrator of this cluster lets no code of a model's repository run: remove it"
        yield Fault("spec.model.trustRemoteCode", advice)
