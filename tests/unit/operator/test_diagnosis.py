"""What is said about each way in which a job can be stuck or end."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.unit.operator.objects import (
    EARLIER,
    NOW,
    SETTINGS,
    batch_job,
    ended_pod,
    last_word,
    pod,
    report,
    rtj,
    running_pod,
    training_job,
)

from reasoning_contract.job_status import Failure
from reasoning_operator.children import training_job as batch
from reasoning_operator.diagnosis import diagnose, turning_points
from reasoning_operator.model import Json, Observed
from reasoning_operator.times import text

UNSCHEDULABLE = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes: no gpu"}
NO_GPU = "0/1 nodes are available: 1 Insufficient nvidia.com/gpu. preemption: not eligible"
IMMEDIATE = "0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims. not found"
CHOSEN = {"volume.kubernetes.io/selected-node": "node-1"}
GAVE_UP = 'running PreBind plugin "VolumeBinding": binding volumes: context deadline exceeded'


def waiting(reason: str, message: str = "") -> Json:
    return pod({"waiting": {"reason": reason, "message": message}})


def event(reason: str, message: str, about: str = "uid-of-sums-train-a") -> Json:
    meta = {"creationTimestamp": EARLIER}
    return {"metadata": meta, "reason": reason, "message": message, "involvedObject": {"uid": about}}


def claim(storage_class: str = "", **annotations: str) -> Json:
    spec = {"storageClassName": storage_class} if storage_class else {}
    meta = {"name": "sums-output", "uid": "uid-of-claim", "annotations": annotations}
    return {"metadata": meta, "spec": spec, "status": {"phase": "Pending"}}


def unscheduled(message: str, reason: str = "Unschedulable") -> Json:
    return pod(conditions=[UNSCHEDULABLE | {"reason": reason, "message": message}])


def observed(*pods: Json, end: str = "", parts: Json | None = None, old: Json | None = None, **fields: Any) -> Observed:
    made = batch_job(batch.build(training_job(**(parts or {})), SETTINGS), "Failed" if end else "", end)
    return Observed(rtj(old, **(parts or {})), batch_job=made, pods=pods, **fields)


def diagnosis(seen: Observed, now: datetime = NOW) -> Failure | None:
    return diagnose(seen, timedelta(minutes=10), now)


EXTERNAL = event("ExternalProvisioning", "waiting for csi.example.com", "uid-of-claim")
MEMORY = {"pod": {"resources": {"limits": {"memory": "4Gi"}}}}
HELD = {"uid-of-sums-train-a": report(stage="warmup", memory={"peakGiB": 3.9, "limitGiB": 4.0})}
DEADLINE = {"limits": {"activeDeadlineSeconds": 60}}
CASES: list[tuple[str, Observed, str, str, str]] = [
    ("pull", observed(waiting("ErrImagePull", "not found")), "ImagePullFailed", "trainer:cpu", "imagePullSecrets"),
    ("back-off", observed(waiting("ImagePullBackOff")), "ImagePullFailed", "ImagePullBackOff", "spec.pod.image"),
    ("never", observed(waiting("ErrImageNeverPull")), "ImagePullFailed", "trainer:cpu", "spec.pod.image"),
    ("bad-name", observed(waiting("InvalidImageName")), "ImagePullFailed", "trainer:cpu", "spec.pod.image"),
    (
        "pull of the box",
        observed(
            pod(
                {"waiting": {"reason": "PodInitializing"}},
                initContainerStatuses=[{"name": "reward-box", "state": {"waiting": {"reason": "ErrImagePull"}}}],
            )
        ),
        "ImagePullFailed",
        "trainer:cpu",
        "imagePullSecrets",
    ),
    (
        "secret",
        observed(waiting("CreateContainerConfigError", 'secret "hf" not found')),
        "CreateContainerConfigError",
        'secret "hf" not found',
        "create what the message names",
    ),
    (
        "secret beside a box that crashes",
        observed(
            pod(
                {"waiting": {"reason": "CreateContainerConfigError", "message": 'secret "hf" not found'}},
                initContainerStatuses=[{"name": "reward-box", "state": {"waiting": {"reason": "CrashLoopBackOff"}}}],
            )
        ),
        "CreateContainerConfigError",
        'secret "hf" not found',
        "create what the message names",
    ),
    (
        "mount",
        observed(waiting("ContainerCreating"), events=(event("FailedMount", "no such disk"),)),
        "FailedMount",
        "no such disk",
        "tried again",
    ),
    (
        "unschedulable",
        observed(pod(conditions=[UNSCHEDULABLE])),
        "Unschedulable",
        "no gpu",
        "parallelism.gpusPerNode",
    ),
    (
        "gpu before a claim that waits for the pod",
        observed(
            unscheduled(NO_GPU),
            claim=claim("standard"),
            events=(event("WaitForFirstConsumer", "waiting for first consumer", "uid-of-claim"),),
        ),
        "Unschedulable",
        "1 Insufficient nvidia.com/gpu",
        "parallelism.gpusPerNode",
    ),
    (
        "gpu before a volume that failed before",
        observed(
            unscheduled(NO_GPU),
            claim=claim("standard"),
            events=(event("ProvisioningFailed", "no room", "uid-of-claim"),),
        ),
        "Unschedulable",
        "1 Insufficient nvidia.com/gpu",
        "parallelism.gpusPerNode",
    ),
    (
        "no default class",
        observed(
            unscheduled(IMMEDIATE),
            claim=claim(),
            events=(event("FailedBinding", "no storage class is set", "uid-of-claim"),),
        ),
        "ClaimUnbound",
        "the cluster has no default) is not bound: no storage class is set",
        "storageClassName",
    ),
    (
        "class that is not there",
        observed(
            unscheduled(IMMEDIATE),
            claim=claim("fast-ssd"),
            events=(event("ProvisioningFailed", 'storageclass.storage.k8s.io "fast-ssd" not found', "uid-of-claim"),),
        ),
        "ClaimUnbound",
        '"fast-ssd" not found',
        "storageClassName",
    ),
    (
        "immediate binding failed",
        observed(
            unscheduled(IMMEDIATE),
            claim=claim("nfs"),
            events=(event("ProvisioningFailed", "quota exceeded", "uid-of-claim"),),
        ),
        "ClaimUnbound",
        "quota exceeded",
        "kubectl describe pvc",
    ),
    (
        "claim that the scheduler names without an event",
        observed(
            unscheduled("0/1 nodes are available: 1 node(s) didn't find available persistent volumes to bind."),
            claim=claim("local"),
        ),
        "ClaimUnbound",
        "didn't find available persistent volumes",
        "kubectl describe pvc",
    ),
    (
        "volume that failed on the chosen node",
        observed(
            pod(),
            claim=claim("standard", **CHOSEN),
            events=(event("ProvisioningFailed", "no room on node-1", "uid-of-claim"),),
        ),
        "ClaimUnbound",
        "no room on node-1",
        "kubectl describe pvc",
    ),
    (
        "volume that nobody makes on the chosen node",
        observed(pod(), claim=claim("standard", **CHOSEN), events=(EXTERNAL,)),
        "ClaimUnbound",
        "waiting for csi.example.com",
        "a provisioner that runs",
    ),
    (
        "volume that nobody makes on a node that was found after a while",
        observed(unscheduled(NO_GPU), claim=claim("standard", **CHOSEN), events=(EXTERNAL,)),
        "ClaimUnbound",
        "waiting for csi.example.com",
        "a provisioner that runs",
    ),
    (
        "scheduler that gave up on a volume",
        observed(unscheduled(GAVE_UP, "SchedulerError"), claim=claim("standard", **CHOSEN)),
        "ClaimUnbound",
        "binding volumes: context deadline exceeded",
        "kubectl describe pvc",
    ),
    (
        "another claim of the job",
        observed(unscheduled(IMMEDIATE), claim=claim() | {"status": {"phase": "Bound"}}),
        "Unschedulable",
        "unbound immediate PersistentVolumeClaims",
        "kubectl describe pvc",
    ),
    (
        "scheduler's own error",
        observed(unscheduled('running PreBind plugin "VolumeBinding": timed out', "SchedulerError")),
        "Unschedulable",
        "timed out",
        "the pod starts by itself",
    ),
    (
        "mount of an earlier pod",
        observed(
            ended_pod(80, last_word(80, "Transient"), name="sums-train-0"),
            unscheduled(NO_GPU),
            events=(event("FailedMount", "no such disk", "uid-of-sums-train-0"),),
        ),
        "Unschedulable",
        "1 Insufficient nvidia.com/gpu",
        "parallelism.gpusPerNode",
    ),
    (
        "refused",
        observed(events=(event("FailedCreate", "exceeded quota", "uid-of-Job"),)),
        "PodRefused",
        "exceeded quota",
        "tried again",
    ),
    ("memory", observed(ended_pod(137, reason="OOMKilled"), parts=MEMORY), "OutOfMemory", "4Gi", "limits.memory"),
    (
        "memory-seen",
        observed(ended_pod(137, reason="OOMKilled"), parts=MEMORY, progress=HELD),
        "OutOfMemory",
        "its limit of 4Gi; it had held 3.9 of 4.0 GiB when last heard of, in stage warmup",
        "warmup.batchSize 1, model.maxSequenceLength 2048, model.loadIn 16bit",
    ),
    (
        "killed",
        observed(ended_pod(137), progress=HELD),
        "TrainerKilled",
        "SIGKILL (exit code 137); it had held 3.9 of 4.0 GiB",
        "limits.memory",
    ),
    (
        "own word after another process was killed for memory",
        observed(ended_pod(65, last_word(65, "DataInvalid"), reason="OOMKilled"), parts=MEMORY),
        "DataInvalid",
        "it ended",
        "do this",
    ),
    ("no-limit", observed(ended_pod(137, reason="OOMKilled")), "OutOfMemory", "node", "requests.memory"),
    (
        "evicted",
        observed(pod(phase="Failed", reason="Evicted", message="low on disk")),
        "Evicted",
        "low on disk",
        "ephemeral-storage",
    ),
    (
        "node",
        observed(
            pod(
                phase="Failed",
                conditions=[{"type": "DisruptionTarget", "status": "True", "reason": "DeletionByTaintManager"}],
            )
        ),
        "NodeLost",
        "stopped answering",
        "another pod",
    ),
    ("crash", observed(ended_pod(1, "Traceback: boom")), "TrainerCrashed", "boom", "kubectl logs"),
    ("word", observed(ended_pod(65, last_word(65, "DataInvalid"))), "DataInvalid", "it ended", "do this"),
    (
        "last-attempt",
        observed(ended_pod(80, last_word(80, "Transient")), end="BackoffLimitExceeded"),
        "Transient",
        "the last of 3 attempts",
        "do this",
    ),
    ("no-pods", observed(end="BackoffLimitExceeded"), "BackoffLimitExceeded", "the Job failed", "pods are gone"),
    (
        "job-deadline",
        observed(end="DeadlineExceeded", parts=DEADLINE),
        "DeadlineExceeded",
        "60 s",
        "spec.limits.activeDeadlineSeconds",
    ),
    (
        "deadline",
        observed(parts=DEADLINE, old={"startTime": EARLIER}),
        "DeadlineExceeded",
        "60 s",
        "spec.limits.activeDeadlineSeconds",
    ),
]


@pytest.mark.parametrize(
    ("seen", "reason", "says", "hint"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_diagnosis(seen: Observed, reason: str, says: str, hint: str) -> None:
    if seen.batch_job and reason == "BackoffLimitExceeded":
        seen.batch_job["status"]["conditions"][0]["message"] = "the Job failed"
    found = diagnosis(seen)
    assert found
    assert found.reason == reason
    assert says in found.message
    assert hint in found.hint


def test_attempts_that_were_made_are_those_that_the_job_had() -> None:
    """A manifest without limits takes the spec's default, whoever fills it in."""
    seen = observed(ended_pod(80, last_word(80, "Transient")), end="BackoffLimitExceeded")
    seen.job["spec"].pop("limits", None)
    found = diagnosis(seen)
    assert found
    assert "the last of 3 attempts" in found.message


@pytest.mark.parametrize(
    "seen",
    [
        observed(),
        observed(pod()),
        observed(waiting("ContainerCreating")),
        observed(pod(), claim=claim("standard", **CHOSEN)),
        observed(ended_pod(0)),
        observed(ended_pod(90, last_word(90, "Interrupted"))),
        observed(ended_pod(143, conditions=[{"type": "DisruptionTarget", "status": "True", "reason": "Preemption"}])),
    ],
)
def test_nothing_is_wrong(seen: Observed) -> None:
    assert diagnosis(seen) is None


def test_image_is_given_ten_minutes_from_the_pods_scheduling() -> None:
    scheduled = {"type": "PodScheduled", "status": "True", "lastTransitionTime": "2026-05-04T11:55:00Z"}
    seen = observed(pod({"waiting": {"reason": "ErrImagePull"}}, conditions=[scheduled]))
    early, late = diagnosis(seen), diagnosis(seen, NOW + timedelta(minutes=5))
    assert early
    assert late
    assert (early.final, late.final) == (False, True)


def test_new_pod_may_wait_for_its_volume() -> None:
    seen = observed(unscheduled(IMMEDIATE), claim=claim())
    created = datetime.fromisoformat(EARLIER)
    early, late = (diagnosis(seen, created + timedelta(seconds=seconds)) for seconds in (5, 20))
    assert early is None
    assert late


def test_chosen_node_may_wait_for_its_volume_from_when_it_was_asked_for() -> None:
    """The pod may be an hour old by then: it waited for a GPU first."""
    asked = datetime(2026, 5, 4, 11, 50, tzinfo=UTC)
    asked_for = EXTERNAL | {"metadata": {"creationTimestamp": text(asked)}}
    seen = observed(unscheduled(NO_GPU), claim=claim("standard", **CHOSEN), events=(asked_for,))
    early, late = (diagnosis(seen, asked + timedelta(seconds=seconds)) for seconds in (5, 20))
    assert early
    assert late
    assert (early.reason, late.reason) == ("Unschedulable", "ClaimUnbound")
    assert asked + timedelta(seconds=20) in turning_points(seen, timedelta(minutes=10))


def test_deadline_that_was_taken_away_after_the_end_is_still_told() -> None:
    made = batch_job(batch.build(training_job(**DEADLINE), SETTINGS), "Failed", "DeadlineExceeded")
    found = diagnosis(Observed(rtj(), batch_job=made))
    assert found
    assert "60 s" in found.message


def test_pod_that_still_ends_is_not_said_to_have_failed() -> None:
    assert diagnosis(observed(running_pod(), pod(name="sums-train-b"))) is None
