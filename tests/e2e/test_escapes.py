"""Every attempt of the table from inside the box of a real pod: the one that the operator makes for a Python reward."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.box.attempts import ATTEMPTS
from tests.e2e.jobs import IMAGE
from tests.polling import eventually
from tests.unit.operator.objects import SETTINGS, training_job

from reasoning_contract.api import BOX_CONTAINER, CONTAINER, INPUT_FOLDER
from reasoning_operator.children import pod

POD = "escapes"
FOLDER = Path(__file__).parent
CONTROL = {"name": "none at all", "source": "def attempt(completions, **_): return [1.0]", "ends": False}
"""What gets through: the one line that shows that the driver would tell."""
REWARD = {"name": "mine", "python": {"source": "def score(completions, **_): return [0.0] * len(completions)"}}


@pytest.fixture
def kubectl(cluster: Path, kubectl_of: Any) -> Iterator[Callable[..., str]]:
    name = f"e2e-{uuid.uuid4().hex[:8]}"
    kubectl_of(cluster)("create", "namespace", name)
    yield kubectl_of(cluster, name)
    kubectl_of(cluster)("delete", "namespace", name, "--wait=false")


def manifests() -> list[dict[str, Any]]:
    """The pod of a job with a Python reward; in place of the trainer's program one that makes the attempts."""
    spec = pod.build(training_job(rewards=[REWARD]), SETTINGS.model_copy(update={"trainer_cpu_image": IMAGE}))["spec"]
    attempts = [{"name": each.name, "source": each.source, "ends": each.ends} for each in ATTEMPTS]
    attempts.append(CONTROL)
    data = {"attempts.json": json.dumps(attempts), "driver.py": (FOLDER / "escapes_driver.py").read_text("utf-8")}
    for volume in spec["volumes"]:
        if volume["name"] == "inputs":
            volume.pop("projected")
            volume["configMap"] = {"name": POD}
        if volume["name"] == "output":
            volume.pop("persistentVolumeClaim")
            volume["emptyDir"] = {}
    (trainer,) = spec["containers"]
    for name in ("args", "startupProbe", "livenessProbe"):
        trainer.pop(name)
    trainer["command"] = ["python3", f"{INPUT_FOLDER}/driver.py", f"{INPUT_FOLDER}/attempts.json"]
    meta = {"name": POD}
    return [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": data},
        {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec | {"restartPolicy": "Never"}},
    ]


@pytest.mark.timeout(600)
def test_no_attempt_gets_through_in_a_real_pod(kubectl: Callable[..., str]) -> None:
    # created, not applied: the attempts are longer than what an annotation may hold
    kubectl("create", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": manifests()}))

    def ended() -> str | None:
        phase = str(json.loads(kubectl("get", "pod", POD, "-o", "json"))["status"].get("phase"))
        return phase if phase in ("Succeeded", "Failed") else None

    phase = eventually(ended, lambda: kubectl("describe", "pod", POD), seconds=300)
    log = kubectl("logs", POD, "-c", CONTAINER)
    assert phase == "Succeeded", log
    told = json.loads(log.splitlines()[-1])
    print(f"{told['tried']} attempts in {told['seconds']:.0f} s; walls: {told['walls']}")
    assert told["walls"]["missing"] == {}
    assert told["through"] == [[CONTROL["name"], [1.0], [], []]]
    assert told["tried"] == len(ATTEMPTS) + 1
    status = json.loads(kubectl("get", "pod", POD, "-o", "json"))["status"]
    (box,) = [each for each in status["initContainerStatuses"] if each["name"] == BOX_CONTAINER]
    assert box["restartCount"] == 0, "no attempt brought the sidecar down"
