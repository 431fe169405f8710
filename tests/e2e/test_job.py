"""Whole jobs on a real node: the operator in its image, installed by Helm, and the trainer in real pods.

`make images` has put the images into the cluster; the model is the demo's tiny one, which the demo image carries.
"""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.jobs import IMAGE, Namespace, Status, small


def trainer_processes() -> set[int]:
    """Processes of trainers on this machine, as the host sees them."""
    found = set()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes().split(b"\0")
        except OSError:  # it has ended
            continue
        if b"reasoning_trainer" in command and b"/etc/reasoning-trainer/job.json" in command:
            found.add(int(folder.name))
    return found


def in_reinforce(step: int) -> Callable[[Status], bool]:
    def reached(status: Status) -> bool:
        checkpoint = status.get("lastCheckpoint") or {}
        return checkpoint.get("stage") == "reinforce" and checkpoint.get("step", 0) >= step

    return reached


@pytest.mark.timeout(600)
def test_a_killed_and_a_suspended_run_go_on_and_end_with_the_adapter_on_the_volume(namespace: Namespace) -> None:
    before = trainer_processes()
    namespace.apply("whole", reinforce=small()["reinforce"] | {"steps": 60})
    namespace.wait("whole", in_reinforce(2), seconds=240)
    (victim,) = trainer_processes() - before
    os.kill(victim, signal.SIGKILL)
    second = namespace.wait("whole", lambda status: status.get("attempts") == 2 and status.get("resumedFromStep"), 120)
    assert second["resumedFromStep"] >= 2

    namespace.patch("whole", suspend=True)
    suspended = namespace.wait("whole", lambda status: status.get("phase") == "Suspended", seconds=150)
    assert suspended["lastCheckpoint"]["step"] >= second["resumedFromStep"]
    alive = namespace.kubectl(
        "get", "pods", "--field-selector=status.phase!=Failed,status.phase!=Succeeded", "-o", "name"
    )
    assert alive == ""

    namespace.patch("whole", suspend=False)
    done = namespace.wait("whole", lambda status: status.get("phase") == "Succeeded", seconds=240)
    assert done["resumedFromStep"] >= suspended["lastCheckpoint"]["step"]
    held_out = done["evaluation"]["heldOut"]
    assert {"base", "warmup", "reinforce"} <= set(held_out)
    assert done["progress"]["percent"] == 100
    assert "failure" not in done
    assert {artifact["kind"] for artifact in done["artifacts"]} == {"lora", "merged16bit"}
    assert_on_volume(namespace, done)


def assert_on_volume(namespace: Namespace, status: Status) -> None:
    """Read the adapter back from the claim, as another user in another pod, and hold its hash against the status."""
    lora = next(artifact for artifact in status["artifacts"] if artifact["kind"] == "lora")
    hashes = "find . -type f -printf '%P\\n' | xargs sha256sum | LC_ALL=C sort | tee /dev/stderr | sha256sum"
    listing = f"cd {lora['path']} && {hashes}"
    claim = {"persistentVolumeClaim": {"claimName": status["storage"]["claimName"]}}
    pod = {
        "restartPolicy": "Never",
        "securityContext": {"runAsUser": 1000},
        "volumes": [{"name": "output", **claim}],
        "containers": [
            {
                "name": "reader",
                "image": IMAGE,
                "imagePullPolicy": "Never",
                "command": ["sh", "-c", listing],
                "volumeMounts": [{"name": "output", "mountPath": "/output"}],
            }
        ],
    }
    reader = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "reader"}, "spec": pod}
    namespace.kubectl("apply", "-f", "-", stdin=json.dumps(reader))
    namespace.kubectl("wait", "pod/reader", "--for=jsonpath={.status.phase}=Succeeded", "--timeout=60s")
    log = namespace.kubectl("logs", "reader")
    assert "adapter_model.safetensors" in log
    assert lora["sha256"] in log


def test_a_run_without_trouble_shows_its_stages_in_order(namespace: Namespace) -> None:
    namespace.apply("plain", reinforce=small()["reinforce"] | {"steps": 100})
    stages: list[str] = []

    def ended(status: Status) -> bool:
        if (stage := status.get("stage")) and stage not in stages:
            stages.append(stage)
        return status.get("phase") == "Succeeded"

    namespace.wait("plain", ended, seconds=240)
    # A stage that is shorter than the operator's pause between two looks may go unseen; these two are not.
    assert {"load", "reinforce"} <= set(stages)
    assert stages == [stage for stage in ("load", "evaluate", "warmup", "reinforce", "export") if stage in stages]
    listing = namespace.kubectl("get", "rtj")
    assert re.search(r"plain\s+Succeeded.*100%", listing)
    namespace.kubectl("delete", "rtj", "plain", "--cascade=foreground", "--timeout=60s")
    assert namespace.kubectl("get", "jobs,pods,pvc", "--ignore-not-found") == ""


BAD_INPUT = [
    ("ModelNotFound", {"model": {"source": "file:///models/none"}}),
    ("AnswerPatternUnmatched", {"data": small()["data"] | {"train": {"rows": small()["data"]["train"]["rows"],
                                                                       "answerPattern": "#### (.*)"}}}),
    ("HeldOutOverlap", {"data": small()["data"] | {"heldOut": {"rows": [{"prompt": "WHAT IS 10 + 10?",
                                                                        "answer": "20"}]}}}),
]  # fmt: skip


@pytest.mark.parametrize(("reason", "changes"), BAD_INPUT, ids=[reason for reason, _ in BAD_INPUT])
def test_bad_input_ends_at_once_with_its_reason(namespace: Namespace, reason: str, changes: dict[str, Any]) -> None:
    namespace.apply("bad", **changes)
    status = namespace.wait_for_failure("bad")
    assert status["failure"]["reason"] == reason
    assert status["failure"]["hint"]
    assert status["attempts"] == 1


def test_missing_claim_is_named_and_heals(namespace: Namespace) -> None:
    namespace.apply("waits", storage={"existingClaim": "mine"}, suspend=False)
    status = namespace.wait("waits", lambda status: status.get("phase") == "Pending" and status.get("failure"))
    assert status["failure"]["reason"] == "ClaimNotFound"
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "mine"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }
    namespace.kubectl("apply", "-f", "-", stdin=json.dumps(claim))
    namespace.wait("waits", lambda status: status.get("phase") == "Running" and not status.get("failure"))


def test_image_that_cannot_be_pulled_is_named_while_starting(namespace: Namespace) -> None:
    namespace.apply("unpullable", pod={"image": "localhost/none:none", "imagePullPolicy": "Always"})
    status = namespace.wait("unpullable", lambda status: status.get("failure"), seconds=60)
    assert status["phase"] == "Starting"
    assert status["failure"]["reason"] == "ImagePullFailed"
    assert "localhost/none:none" in status["failure"]["message"]


@pytest.mark.timeout(400)
def test_pod_out_of_memory_says_which_fields_to_lower(namespace: Namespace) -> None:
    limits = {"limits": {"memory": "200Mi"}}
    namespace.apply("hungry", pod={"resources": limits}, limits={"maxAttempts": 1})
    status = namespace.wait_for_failure("hungry", seconds=240)
    assert status["failure"]["reason"] == "OutOfMemory"
    assert "200Mi" in status["failure"]["message"] + status["failure"]["hint"]
