"""Jobs that wait on a real node: the scheduler's reason is told, and the claim only where it is what is waited for.

The pods wait at the same time, so that the time which a new pod is given to settle passes once for all.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.jobs import Namespace, Status, small
from tests.e2e.release import Release

PROVISIONER = "reasoning-operator.io/local-folder"
"""The local cluster's own."""
NOBODY = "reasoning-operator.io/nobody"
"""A provisioner that does not run."""
LACKING_GPU = "Insufficient nvidia.com/gpu"
GUARDS = small()["guards"] | {"preflight": {"enabled": False}}
"""Without it a job that asks for a GPU waits in its preflight, which needs none."""


@dataclass(frozen=True)
class Case:
    """A job that cannot start, for want of a GPU or of a volume.

    Attributes
    ----------
    binding, provisioner
        Of the StorageClass that it names; no binding: the class does not exist.
    gpus
        How many it asks for. The node has none.
    """

    binding: str | None
    provisioner: str = PROVISIONER
    gpus: int = 0


CASES = {
    "gpu-late": Case("WaitForFirstConsumer", gpus=1),
    "gpu-immediate": Case("Immediate", gpus=1),
    "no-class": Case(None),
    "no-provisioner": Case("Immediate", NOBODY),
    "no-provisioner-late": Case("WaitForFirstConsumer", NOBODY),
}


@pytest.fixture(scope="module")
def prefix() -> str:
    return f"e2e-waiting-{uuid.uuid4().hex[:8]}"


@pytest.fixture(scope="module")
def waiting(cluster: Path, operator: Release, kubectl_of: Callable[..., Any], prefix: str) -> Iterator[Namespace]:
    """A namespace with the job of every case, and their StorageClasses."""
    kubectl = kubectl_of(cluster)
    classes = [storage_class(f"{prefix}-{name}", case) for name, case in CASES.items() if case.binding]
    kubectl("create", "namespace", prefix)
    try:
        kubectl("apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": classes}))
        jobs = Namespace(kubectl_of(cluster, prefix))
        for name, case in CASES.items():
            storage = small()["storage"] | {"storageClassName": f"{prefix}-{name}"}
            jobs.apply(name, storage=storage, parallelism={"gpusPerNode": case.gpus}, guards=GUARDS)
        yield jobs
    finally:
        kubectl("delete", "namespace", prefix, "--wait=false")
        kubectl("delete", "storageclass", "--ignore-not-found", *(each["metadata"]["name"] for each in classes))


def storage_class(name: str, case: Case) -> dict[str, Any]:
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": name},
        "provisioner": case.provisioner,
        "volumeBindingMode": case.binding,
    }


def claim_of(jobs: Namespace, status: Status) -> str:
    return jobs.kubectl("get", "pvc", status["storage"]["claimName"], "-o", "jsonpath={.status.phase}")


def test_gpu_is_told_and_not_the_claim_that_waits_for_the_pod(waiting: Namespace) -> None:
    status = waiting.wait("gpu-late", lambda status: status.get("failure"))
    assert status["failure"]["reason"] == "Unschedulable"
    assert LACKING_GPU in status["failure"]["message"]
    assert "parallelism.gpusPerNode" in status["failure"]["hint"]
    assert status["phase"] == "Starting"
    assert claim_of(waiting, status) == "Pending"


def test_gpu_is_told_once_the_claim_is_bound(waiting: Namespace) -> None:
    status = waiting.wait("gpu-immediate", lambda status: LACKING_GPU in status.get("failure", {}).get("message", ""))
    assert status["failure"]["reason"] == "Unschedulable"
    assert "parallelism.gpusPerNode" in status["failure"]["hint"]
    assert claim_of(waiting, status) == "Bound"


def test_class_that_does_not_exist_is_told_with_its_field(waiting: Namespace, prefix: str) -> None:
    status = waiting.wait("no-class", lambda status: status.get("failure"))
    assert status["failure"]["reason"] == "ClaimUnbound"
    assert f'"{prefix}-no-class" not found' in status["failure"]["message"]
    assert "storage.storageClassName" in status["failure"]["hint"]


@pytest.mark.parametrize("name", ["no-provisioner", "no-provisioner-late"])
def test_claim_that_no_provisioner_serves_is_told(waiting: Namespace, prefix: str, name: str) -> None:
    """With late binding the scheduler has chosen a node, and says no more while it waits for the volume."""
    status = waiting.wait(name, lambda status: status.get("failure"))
    assert status["failure"]["reason"] == "ClaimUnbound"
    claim = f"the claim {status['storage']['claimName']} (StorageClass {prefix}-{name}) is not bound"
    assert claim in status["failure"]["message"]
    assert NOBODY in status["failure"]["message"]
    assert "a provisioner that runs" in status["failure"]["hint"]
