"""What keeps a job from running, or ended it, in terms of what to do about it. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta

from pydantic import ValidationError

from reasoning_contract.job_status import Failure
from reasoning_contract.memory_settings import memory_settings
from reasoning_contract.problem import Problem
from reasoning_contract.progress import Progress

from . import pods
from .kept import SELECTED_NODE
from .model import Json, Observed
from .specs import decide
from .times import parse

_IMAGE_REASONS = ("ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName", "ImageInspectError")
SETTLING = timedelta(seconds=20)
"""How long a new pod may lack a node or a volume before it is called a problem: volumes are made while it waits."""
_KILLED = 137
"""Exit code of a process that was ended by SIGKILL."""
_UNSCHEDULED = ("Unschedulable", "SchedulerError")
_CLAIM_EVENTS = ("ProvisioningFailed", "FailedBinding", "ExternalProvisioning")
_NODE_HINT = (
    "free or add what the nodes lack, or ask for less: parallelism.gpusPerNode, pod.resources, pod.nodeSelector, "
    "pod.tolerations; the pod starts by itself as soon as it fits"
)
_CLASS_HINT = "name a StorageClass that exists in spec.storage.storageClassName of a new job (kubectl get storageclass)"
_CLAIM_HINT = (
    "see what the job's claims wait for (kubectl describe pvc): a provisioner that runs, room, a volume on a node that "
    "fits; the pod starts by itself as soon as they are bound"
)


def diagnose(observed: Observed, image_deadline: timedelta, now: datetime) -> Failure | None:
    """Return the problem that stands in the way of a job at this moment; None if there is none.

    Parameters
    ----------
    observed
        What is there.
    image_deadline
        How long an image may fail to be pulled before the job fails.
    now
        The time.
    """
    end = pods.job_end(observed.batch_job)
    if end:
        return _of_failed_job(observed, end) if end["type"] == "Failed" else None
    if late := _past_deadline(observed, now):
        return late
    if not observed.attempts:
        return _of_missing_pod(observed)
    *earlier, last = observed.attempts
    pod = last.lead
    if pods.is_over(pod):
        return of_end(pod, observed)
    if pods.is_running(pod):
        return None
    if problem := _of_waiting(pod, observed, image_deadline, now):
        return problem
    before = [each.lead for each in earlier if pods.is_over(each.lead)]
    return of_end(before[-1], observed) if before else None


def turning_points(observed: Observed, image_deadline: timedelta) -> list[datetime]:
    """Return when time alone makes another problem of what is observed.

    Parameters
    ----------
    observed
        What is there.
    image_deadline
        How long an image may fail to be pulled before the job fails.
    """
    pod = observed.attempts[-1].lead if observed.attempts else None
    if pod is None or pods.is_running(pod) or pods.is_over(pod):
        return []
    settled = [parse(pod["metadata"]["creationTimestamp"]) + SETTLING]
    if claim := _unbound_claim(observed):
        settled += [each + SETTLING for each in _asked_for(claim, observed)]
    pulls = (pods.waiting(pod) or {}).get("reason") in _IMAGE_REASONS
    return [*settled, _scheduled(pod) + image_deadline] if pulls else settled


def of_end(pod: Json, observed: Observed) -> Failure | None:
    """Return why a pod that is over failed; None if it did its work or was interrupted."""
    problem = _of_lost(pod) or _of_exit(pod, observed)
    return Failure.of(problem, pod=pod["metadata"]["name"], exit_code=pods.exit_code(pod)) if problem else None


def _of_failed_job(observed: Observed, end: Json) -> Failure:
    if end.get("reason") == "DeadlineExceeded":
        made = observed.batch_job or {}  # the job's own limit may have been taken away since
        return _deadline(made.get("spec", {}).get("activeDeadlineSeconds"))
    ends = [of_end(pod, observed) for pod in observed.pods if pods.is_over(pod)]
    last = next((each for each in reversed(ends) if each), None)
    if last is None:
        hint = "apply the job again: its pods are gone, so that more cannot be said"
        return Failure(reason=end.get("reason", "JobFailed"), message=end.get("message", "the Job failed"), hint=hint)
    if end.get("reason") == "BackoffLimitExceeded":
        attempts = (observed.batch_job or {})["spec"]["backoffLimit"] + 1
        which = f"the last of {attempts} attempts: spec.limits.maxAttempts"
        return last.model_copy(update={"message": f"{last.message} ({which})"})
    return last


def _past_deadline(observed: Observed, now: datetime) -> Failure | None:
    limit = observed.job["spec"].get("limits", {}).get("activeDeadlineSeconds")
    start = observed.status.start_time
    over = limit and start and now >= parse(start) + timedelta(seconds=limit)
    return _deadline(limit) if over else None


def _deadline(limit: int) -> Failure:
    message = f"the job was not done {limit} s after its start"
    hint = "raise spec.limits.activeDeadlineSeconds, or give it less to do (reinforce.steps)"
    return Failure(reason="DeadlineExceeded", message=message, hint=hint, final=True)


def _of_missing_pod(observed: Observed) -> Failure | None:
    made = observed.batch_job
    refused = made and _event(observed, "FailedCreate", about=made)
    if not refused:
        return None
    hint = "the cluster refuses the pod: mend what the message names (a quota, a ServiceAccount); it is tried again"
    return Failure(reason="PodRefused", message=refused, hint=hint)


def _of_waiting(pod: Json, observed: Observed, image_deadline: timedelta, now: datetime) -> Failure | None:
    name = pod["metadata"]["name"]
    problem = _of_image(pod, image_deadline, now) or _of_config(pod)
    if problem is None and now >= parse(pod["metadata"]["creationTimestamp"]) + SETTLING:
        problem = _of_scheduling(pod, observed, now) or _of_volume(pod, observed)
    return Failure.of(problem, pod=name) if problem else None


def _of_image(pod: Json, deadline: timedelta, now: datetime) -> Problem | None:
    state = pods.waiting(pod) or {}
    reason = state.get("reason", "")
    if reason not in _IMAGE_REASONS:
        return None
    image = pod["spec"]["containers"][0]["image"]
    message = f"the image {image} cannot be pulled: {state.get('message') or reason}"
    hint = "check spec.pod.image (or the operator's trainer image), its tag, and spec.pod.imagePullSecrets"
    final = reason == "InvalidImageName" or now >= _scheduled(pod) + deadline
    return Problem(reason="ImagePullFailed", message=message, hint=hint, final=final)


def _scheduled(pod: Json) -> datetime:
    """Return since when a pod has a node, where it can be told."""
    scheduled: Json = pods.conditions(pod).get("PodScheduled") or pod["metadata"]
    return parse(scheduled.get("lastTransitionTime", pod["metadata"]["creationTimestamp"]))


def _of_config(pod: Json) -> Problem | None:
    state = pods.waiting(pod) or {}
    reason = state.get("reason", "")
    if reason not in ("CreateContainerConfigError", "CreateContainerError", "RunContainerError"):
        return None
    hint = "create what the message names (a Secret, a ConfigMap, a key): the pod then starts by itself"
    return Problem(reason=str(reason), message=str(state.get("message", reason)), hint=hint)


def _of_volume(pod: Json, observed: Observed) -> Problem | None:
    for reason in ("FailedMount", "FailedAttachVolume"):
        if message := _event(observed, reason, about=pod):
            return Problem(
                reason=reason, message=message, hint="mend what the message names: the volume is tried again by itself"
            )
    return None


def _of_scheduling(pod: Json, observed: Observed, now: datetime) -> Problem | None:
    """Return why a pod has no node: what the scheduler says, unless it waits for a volume alone."""
    condition = pods.conditions(pod).get("PodScheduled", {})
    if condition.get("status") == "True":
        return None
    said = condition.get("message", "") if condition.get("reason") in _UNSCHEDULED else ""
    claim = _unbound_claim(observed)
    if claim and (_names_claims(said) or _lacks_its_volume(claim, said, observed, now)):
        return _unbound(claim, said, observed)
    if not said:
        return None
    hint = _CLAIM_HINT if _names_claims(said) else _NODE_HINT
    return Problem(reason="Unschedulable", message=f"no node fits: {said}", hint=hint)


def _names_claims(said: str) -> bool:
    return any(words in said.lower() for words in ("persistentvolume", "persistent volume", "volumebinding"))


def _unbound_claim(observed: Observed) -> Json | None:
    claim = observed.claim
    return claim if claim is not None and claim.get("status", {}).get("phase") == "Pending" else None


def _lacks_its_volume(claim: Json, said: str, observed: Observed, now: datetime) -> bool:
    """Whether no volume was made for a claim, in time or at all, once the scheduler had chosen a node for the pod.

    The scheduler says no more then, for ten minutes. What it said before it chose still stands in the pod's condition.
    """
    if said and SELECTED_NODE not in claim["metadata"].get("annotations", {}):
        return False
    failed = _event(observed, "ProvisioningFailed", about=claim) is not None
    return failed or any(now >= since + SETTLING for since in _asked_for(claim, observed))


def _asked_for(claim: Json, observed: Observed) -> list[datetime]:
    """Return when provisioners outside Kubernetes, as nearly all are, were asked for a claim's volume."""
    events = _events(observed, "ExternalProvisioning", about=claim)
    return [parse(event["metadata"]["creationTimestamp"]) for event in events]


def _unbound(claim: Json, scheduler: str, observed: Observed) -> Problem:
    name = claim["metadata"]["name"]
    storage_class = claim["spec"].get("storageClassName")
    said = _event(observed, *_CLAIM_EVENTS, about=claim) or scheduler
    message = f"the claim {name} (StorageClass {storage_class or 'none: the cluster has no default'}) is not bound"
    hint = _CLASS_HINT if not storage_class or _lacks_its_class(said) else _CLAIM_HINT
    return Problem(reason="ClaimUnbound", message=f"{message}: {said}", hint=hint)


def _lacks_its_class(said: str) -> bool:
    return "storageclass" in said.lower() and "not found" in said


def _of_lost(pod: Json) -> Problem | None:
    """Return the problem of a pod that the cluster ended, not the trainer."""
    status = pod.get("status", {})
    if status.get("reason") == "Evicted":
        hint = "ask for what the job needs in spec.pod.resources.requests (memory, ephemeral-storage)"
        return Problem(reason="Evicted", message=f"the node evicted the pod: {status.get('message', '')}", hint=hint)
    disruption = pods.conditions(pod).get("DisruptionTarget", {})
    if disruption.get("reason") == "DeletionByTaintManager" or status.get("reason") == "NodeLost":
        return Problem(
            reason="NodeLost", message="the pod's node stopped answering", hint="another pod is started by itself"
        )
    return None


def _of_exit(pod: Json, observed: Observed) -> Problem | None:
    if pods.was_interrupted(pod) or pod["status"]["phase"] == "Succeeded":
        return None
    end = pods.terminated(pod) or {}
    outcome = pods.outcome(pod)
    # A runtime says so, too, of a container in which another process was killed and that ended later, by itself.
    if end.get("reason") == "OOMKilled" and (outcome is None or end["exitCode"] == _KILLED):
        return _out_of_memory(pod, observed)
    if outcome:
        return outcome
    if not end:
        status = pod["status"]
        said = status.get("message", "the pod ended before the trainer started")
        hint = "another attempt is made while spec.limits.maxAttempts allows"
        return Problem(reason=status.get("reason", "PodFailed"), message=said, hint=hint)
    if end["exitCode"] == _KILLED:
        return _killed(pod, observed)
    log = end.get("message") or end.get("reason", "")
    message = f"the trainer ended with exit code {end['exitCode']} and said: {log.strip()}"
    return Problem(
        reason="TrainerCrashed", message=message, hint="read the whole log: kubectl logs, with the pod's name"
    )


def _out_of_memory(pod: Json, observed: Observed) -> Problem:
    report = observed.progress.get(pod["metadata"]["uid"])
    lower = _what_to_lower(observed.job["spec"], report)
    limit = observed.job["spec"].get("pod", {}).get("resources", {}).get("limits", {}).get("memory")
    if limit:
        message = f"the trainer needed more memory than its limit of {limit}"
        hint = f"raise spec.pod.resources.limits.memory above {limit}, or {lower}"
    else:
        message = "the trainer needed more memory than the node had"
        hint = f"set spec.pod.resources.requests.memory, to get a node with enough, or {lower}"
    return Problem(reason="OutOfMemory", message=f"{message}{_memory_seen(report)}", hint=hint)


def _what_to_lower(spec: Json, report: Progress | None) -> str:
    try:
        settings = memory_settings(decide(spec).spec, report.stage if report else None)
    except ValidationError:  # an earlier version took this spec
        return "ask for less"
    return f"lower one of these, as they are: {settings}"


def _killed(pod: Json, observed: Observed) -> Problem:
    """Return the problem of a trainer that was killed and the kubelet does not know why."""
    seen = _memory_seen(observed.progress.get(pod["metadata"]["uid"]))
    message = f"the trainer was killed by SIGKILL (exit code {_KILLED}){seen}"
    hint = "see the node's log: out of memory is the usual reason, then raise spec.pod.resources.limits.memory"
    return Problem(reason="TrainerKilled", message=message, hint=hint)


def _memory_seen(report: Progress | None) -> str:
    if report is None or report.memory is None:
        return ""
    memory = report.memory
    return f"; it had held {memory.peak_gi_b} of {memory.limit_gi_b} GiB when last heard of, in stage {report.stage}"


def _event(observed: Observed, *reasons: str, about: Json) -> str | None:
    """Return the message of the last event about an object with one of these reasons."""
    events = _events(observed, *reasons, about=about)
    return str(events[-1].get("message", "")) if events else None


def _events(observed: Observed, *reasons: str, about: Json) -> list[Json]:
    """Return the events about an object with one of these reasons.

    Events outlive what they tell of: those about an earlier pod say nothing of this one.
    """
    uid = about["metadata"]["uid"]
    of_it = [each for each in observed.events if each["involvedObject"].get("uid") == uid]
    return [event for event in of_it if event.get("reason") in reasons]
