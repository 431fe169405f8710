"""What a pod or a Job says about itself: pure readings of their status."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from reasoning_contract.api import CONTAINER, UID_LABEL
from reasoning_contract.exit_codes import USERS_FAULT, ExitCode
from reasoning_contract.outcome import Outcome

from . import names
from .kinds import JOB
from .model import Json, owners


def conditions(thing: Json) -> dict[str, Json]:
    """Return the conditions of a pod or a Job by their type."""
    return {condition["type"]: condition for condition in thing.get("status", {}).get("conditions", [])}


def is_true(thing: Json, condition: str) -> bool:
    """Whether a condition of a pod or a Job is there and true."""
    return conditions(thing).get(condition, {}).get("status") == "True"


def job_end(batch_job: Json | None) -> Json | None:
    """Return the condition that says how a Job ended: type Complete or Failed; None while it has not."""
    if batch_job is None:
        return None
    ends = (conditions(batch_job).get(kind) for kind in ("Complete", "Failed"))
    return next((end for end in ends if end and end["status"] == "True"), None)


def _state(pod: Json, name: str) -> Json | None:
    statuses = pod.get("status", {}).get("containerStatuses", [])
    states: list[dict[str, Any]] = [each.get("state", {}) for each in statuses if each["name"] == CONTAINER]
    return states[0].get(name) if states else None


def waiting(pod: Json) -> Json | None:
    """Return why the trainer's container, or the one that comes before it, has not started, as the kubelet says it.

    One that has started and is to be started anew keeps the trainer from nothing.
    """
    before = [each.get("state", {}).get("waiting") for each in pod.get("status", {}).get("initContainerStatuses", [])]
    unstarted = (each for each in before if each and each.get("reason") != "CrashLoopBackOff")
    return next(unstarted, None) or _state(pod, "waiting")


def terminated(pod: Json) -> Json | None:
    """Return how the trainer's container ended."""
    return _state(pod, "terminated")


def belongs(pod: Json, job: Json, batch_job: Json | None, named: Callable[[str], str] = names.batch_job) -> bool:
    """Whether a pod is of a job's Job, by the owner that its controller wrote: anybody may copy its labels.

    Parameters
    ----------
    pod
        A pod.
    job
        The ReasoningTrainingJob.
    batch_job
        Its Job; where that is gone, its pods may still be at work.
    named
        Returns the Job's name, from the job's.
    """
    if pod["metadata"].get("labels", {}).get(UID_LABEL) != job["metadata"]["uid"]:
        return False  # of an earlier job of this name
    owner = next((each for each in owners(pod) if each.get("controller")), None)
    if owner is None or (owner["kind"], owner["name"]) != (JOB.name, named(job["metadata"]["name"])):
        return False
    return batch_job is None or owner["uid"] == batch_job["metadata"]["uid"]


def is_running(pod: Json) -> bool:
    """Whether the trainer runs in a pod."""
    return _state(pod, "running") is not None


def is_over(pod: Json) -> bool:
    """Whether a pod has ended for good."""
    return pod.get("status", {}).get("phase") in ("Succeeded", "Failed")


def started_at(pod: Json) -> str | None:
    """Return when the trainer started in a pod; None if it never did."""
    started: str | None = (_state(pod, "running") or terminated(pod) or {}).get("startedAt")
    # what a runtime says of a container that it could not start
    return None if started is None or started.startswith("1970-") else started


def exit_code(pod: Json) -> int | None:
    """Return the trainer's exit code; None while it runs and where the pod was lost."""
    return (terminated(pod) or {}).get("exitCode")


def outcome(pod: Json) -> Outcome | None:
    """Return the trainer's last word; None where it had none to say."""
    message = (terminated(pod) or {}).get("message", "")
    return Outcome.from_termination_message(message) if message else None


def was_last(pod: Json) -> bool:
    """Whether no other pod follows one that is over: it did its work, or another would end the same way."""
    # The trainer's exit code is known a moment before the pod's phase says so.
    return pod.get("status", {}).get("phase") == "Succeeded" or exit_code(pod) in (0, *USERS_FAULT)


def was_interrupted(pod: Json) -> bool:
    """Whether a pod was ended from outside, which costs no attempt."""
    return exit_code(pod) == ExitCode.INTERRUPTED or is_true(pod, "DisruptionTarget")
