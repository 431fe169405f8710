"""Where a run takes place: its queue, its GPUs and its pod."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ..rules import Part, rule
from .types import Name, ObjectName, Passthrough, Quantity, Short


class Queue(Part):
    """Queueing by Kueue."""

    name: Name
    """The LocalQueue."""
    priority_class: Name | None = None
    """The WorkloadPriorityClass."""


class Parallelism(Part):
    """How many GPUs, and how they work together."""

    nodes: Annotated[int, Field(ge=1, le=1024)] = 1
    """Pods."""
    gpus_per_node: Annotated[int, Field(ge=0, le=64)] = 1
    """GPUs a pod; 0 trains on the CPU."""
    strategy: Literal["auto", "ddp", "fsdp"] = "auto"
    """How several GPUs share the model."""
    vllm: Literal["colocate", "server"] = "colocate"
    """Whether vLLM shares the training GPUs or has its own."""


class Resources(Part):
    """CPU and memory of the training pod. GPUs are asked for by parallelism.gpusPerNode."""

    requests: Annotated[dict[str, Quantity], Field(max_length=16)] = {}
    """What the scheduler sets aside."""
    limits: Annotated[dict[str, Quantity], Field(max_length=16)] = {}
    """What the pod may use."""

    @rule(
        "!('nvidia.com/gpu' in self.limits) && !('nvidia.com/gpu' in self.requests)",
        "GPUs are asked for by parallelism.gpusPerNode: remove nvidia.com/gpu here",
    )
    def _gpus_stand_elsewhere(self) -> bool:
        return "nvidia.com/gpu" not in self.limits and "nvidia.com/gpu" not in self.requests


PodList = Annotated[list[Passthrough], Field(max_length=64)]


class Pod(Part):
    """Settings of the training pod, in Kubernetes' own terms."""

    image: Short | None = None
    """Trainer image; the operator's default when empty."""
    image_pull_policy: Literal["Always", "IfNotPresent", "Never"] | None = None
    """When the image is pulled; Kubernetes' default when empty."""
    image_pull_secrets: PodList = []
    """Secrets for the image's registry."""
    resources: Resources = Resources()
    """CPU and memory."""
    node_selector: Annotated[dict[str, str], Field(max_length=64)] = {}
    """Labels that the node must have."""
    tolerations: PodList = []
    """Taints of a node that the pod puts up with."""
    affinity: Passthrough | None = None
    """Rules for the choice of the node."""
    priority_class_name: ObjectName | None = None
    """PriorityClass of the pod."""
    runtime_class_name: ObjectName | None = None
    """RuntimeClass of the pod."""
    env: PodList = []
    """Environment variables of the trainer."""
    env_from: PodList = []
    """ConfigMaps and Secrets to take environment variables from."""
    volumes: PodList = []
    """Further volumes, of the kinds that Pod Security "restricted" allows (no hostPath, no nfs), unless the
    administrator says otherwise."""
    volume_mounts: PodList = []
    """Where the trainer sees them."""
    labels: Annotated[dict[str, str], Field(max_length=64)] = {}
    """Further labels; those of the operator's own are refused."""
    annotations: Annotated[dict[str, str], Field(max_length=64)] = {}
    """Further annotations."""
    service_account_name: Name | None = None
    """ServiceAccount of the pod; its token is never mounted."""
    network_policy: bool = True
    """Make a NetworkPolicy that closes the pod to all but the operator and its data."""
