"""What a spec refers to outside itself: ConfigMaps, claims and the Hub."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from reasoning_contract.spec import Spec

from .model import Json
from .names import output_claim


@dataclass(frozen=True)
class Reference:
    """Something in the job's namespace that the pod mounts.

    Attributes
    ----------
    kind
        ConfigMap or PersistentVolumeClaim.
    name
        Its name.
    key
        Key of the ConfigMap; empty for a claim.
    field
        Field of the spec that refers to it.
    """

    kind: str
    name: str
    key: str
    field: str


def references(spec: Spec) -> list[Reference]:
    """Return the ConfigMaps and claims that must be there before a job can start, but for the one it writes to."""
    cache = spec.storage.cache_claim
    return inputs(spec) + ([Reference("PersistentVolumeClaim", cache, "", "spec.storage.cacheClaim")] if cache else [])


def inputs(spec: Spec) -> list[Reference]:
    """Return the ConfigMaps and claims that a spec reads, in order of the spec."""
    named = [_reference(source, field) for field, source in _sources(spec)]
    rewards = [
        Reference("ConfigMap", key.name, key.key, f"spec.rewards[{index}].python.configMapKeyRef")
        for index, reward in enumerate(spec.rewards)
        if reward.python and (key := reward.python.config_map_key_ref)
    ]
    return [each for each in named if each] + rewards


def needs_network(spec: Spec) -> bool:
    """Whether the trainer must reach something outside the pod: the Hub, a reward or judge over HTTP, or a tracker."""
    from_hub = any(source.startswith("hf://") for _, source in _sources(spec))
    tracked = spec.tracking is not None and spec.tracking.needs_network
    return from_hub or tracked or any(reward.http or reward.judge for reward in spec.rewards)


def _sources(spec: Spec) -> Iterator[tuple[str, str]]:
    yield "spec.model.source", spec.model.source
    for name, rows in (("train", spec.data.train), ("warmup", spec.data.warmup), ("heldOut", spec.data.held_out)):
        if rows and rows.source:
            yield f"spec.data.{name}.source", rows.source
    for index, reward in enumerate(spec.rewards):
        if reward.model:
            yield f"spec.rewards[{index}].model.source", reward.model.source


def _reference(source: str, field: str) -> Reference | None:
    scheme, _, rest = source.partition("://")
    name, _, key = rest.partition("/")
    if scheme == "configmap":
        return Reference("ConfigMap", name, key, field)
    return Reference("PersistentVolumeClaim", name, "", field) if scheme == "pvc" else None


def output_claim_of(job: Json) -> str:
    """Return the name of the claim that a job writes to, of an object whose spec may not be valid."""
    claim: str = job["spec"].get("storage", {}).get("existingClaim") or output_claim(job["metadata"]["name"])
    return claim
