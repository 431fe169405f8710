"""The whole status of a job, from what was observed and from the status that it had. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

from reasoning_contract.api import UID_LABEL
from reasoning_contract.job_status import Condition, Failure, Phase, PreflightStatus, Status, StorageStatus
from reasoning_contract.problem import Problem
from reasoning_contract.progress import GUARD_CONDITIONS, GuardReport, Progress
from reasoning_contract.report import ProgressStatus
from reasoning_contract.spec.changing import retry_hint

from . import changing, pods, preflight, suspension
from .acceptance import Verdict
from .children.preflight import is_wanted
from .children.volume import claim_name
from .diagnosis import diagnose
from .model import FINISHED, Json, Observed, TrainingJob
from .names import run_folder
from .settings import Settings
from .times import text


class _Claim(NamedTuple):
    """What a condition says."""

    type: str
    is_true: bool | None
    reason: str
    message: str


def status(observed: Observed, verdict: Verdict, settings: Settings, now: datetime) -> Status:
    """Return the status.

    A job that has finished keeps what it says, whatever becomes of its children.

    Parameters
    ----------
    observed
        What is there, the old status included.
    verdict
        Whether the job can be run.
    settings
        Settings of the operator.
    now
        The time.
    """
    old = observed.status
    generation = observed.job["metadata"].get("generation")
    retry = changing.retry_value(observed.job)
    if changing.retry_asked(observed) and changing.is_cleared(observed):
        observed = changing.begun_again(observed)
        old = observed.status
    if old.phase in FINISHED:
        return old.model_copy(update={"observed_generation": generation})
    problem = _problem(observed, verdict, settings, now)
    checks = _checks(observed, verdict, settings)
    phase = _phase(observed, verdict, problem, checks=checks)
    report = latest_report(observed)
    new = _with_report(old, report).model_copy(
        update={
            "observed_generation": generation,
            "phase": phase,
            "attempts": _attempts(observed, report),
            "start_time": old.start_time or _first_start(observed),
            "failure": _kept_failure(problem, phase, observed.job["metadata"]["name"], retry),
            "retry": old.retry if retry is None else retry,
            "preflight": _preflight(observed, verdict, settings),
            "storage": old.storage if isinstance(verdict, Problem) else _storage(verdict),
        }
    )
    new = _at_phase(new, observed, now)
    applied = _spec_applied(observed, verdict, settings)
    conditions = _conditions(new, observed, verdict, report, now, applied, checks=checks)
    return new.model_copy(update={"conditions": conditions})


def latest_report(observed: Observed) -> Progress | None:
    """Return the last that was heard of the run: the newest pod's last word or, before that, its /progress."""
    for attempt in reversed(observed.attempts):
        last = pods.outcome(attempt.lead)
        report = (last and last.progress) or observed.progress.get(attempt.lead["metadata"]["uid"])
        if report:
            return report
    return None


def _problem(observed: Observed, verdict: Verdict, settings: Settings, now: datetime) -> Problem | None:
    if isinstance(verdict, Problem) and (verdict.final or _end(observed) is None):
        return verdict
    image_deadline = timedelta(seconds=settings.image_pull_deadline_seconds)
    if _checks(observed, verdict, settings) and not observed.pods:
        return preflight.problem(observed, image_deadline, now)
    return diagnose(observed, image_deadline, now)


def _checks(observed: Observed, verdict: Verdict, settings: Settings) -> bool:
    return not isinstance(verdict, Problem) and preflight.is_due(verdict, observed, settings)


def _preflight(observed: Observed, verdict: Verdict, settings: Settings) -> PreflightStatus | None:
    """Return how the preflight ended; that of a job whose Job is made stands, whatever its spec has become."""
    old = observed.status.preflight
    if isinstance(verdict, Problem):
        return old
    return preflight.result(verdict, observed, settings) or (old if observed.batch_job is not None else None)


def _kept_failure(problem: Problem | None, phase: Phase, name: str, retry: str | None) -> Failure | None:
    """Return a problem as the status has it; of one that ended the job, how the job is started again too."""
    if problem is None or phase in ("Running", "Suspended", "Succeeded"):
        return None
    failure = _failure(problem)
    if phase != "Failed" or failure.reason in _LOST:
        return failure
    return failure.model_copy(update={"hint": "; then ".join(filter(None, (failure.hint, retry_hint(name, retry))))})


_LOST = ("ClaimLost",)
"""Failures that nothing can be resumed after."""


def _failure(problem: Problem) -> Failure:
    """Return a problem in the form of the status, the end of its message if it is long: a log's end says most."""
    failure = problem if isinstance(problem, Failure) else Failure.of(problem)
    if len(failure.message) <= _LOG_LIMIT:
        return failure
    return failure.model_copy(update={"message": f"...{failure.message[-_LOG_LIMIT:]}"})


def _end(observed: Observed) -> Json | None:
    return pods.job_end(observed.batch_job) if observed.owns(observed.batch_job) else None


def _phase(observed: Observed, verdict: Verdict, problem: Problem | None, *, checks: bool) -> Phase:
    end = _end(observed)
    if end and not (isinstance(verdict, Problem) and verdict.final):
        return "Succeeded" if end["type"] == "Complete" else "Failed"
    if problem and problem.final:
        return "Failed"
    alive = [pod for pod in observed.pods if not pods.is_over(pod)]
    if any(pods.is_running(pod) for pod in alive) or (observed.attempts and pods.was_last(observed.attempts[-1].lead)):
        return "Running"  # also until the Job controller has seen that the last pod is over
    if isinstance(verdict, Problem) and not alive:
        return _refused_phase(observed)
    if suspension.asked(observed.job) and not alive:
        return "Suspended"
    return "Preflight" if checks else "Starting"


def _refused_phase(observed: Observed) -> Phase:
    """Return the phase of a job that is not run: one that another version has begun is not corrected in place."""
    batch_job = observed.batch_job
    if batch_job is None or not observed.owns(batch_job):
        return "Pending"
    if batch_job["spec"].get("suspend"):
        return "Suspended" if suspension.asked(observed.job) else "Pending"
    return "Starting"


def _attempts(observed: Observed, report: Progress | None) -> int | None:
    """Count attempts by the volume, where the trainer keeps count, and by pods until it has spoken."""
    started = sum(pods.started_at(attempt.lead) is not None for attempt in observed.attempts)
    return max(observed.status.attempts or 0, started, report.attempt if report else 0) or None


def _first_start(observed: Observed) -> str | None:
    return min(filter(None, map(pods.started_at, observed.pods)), default=None)


def _storage(verdict: Verdict) -> StorageStatus | None:
    if isinstance(verdict, Problem):
        return None
    return StorageStatus(claim_name=claim_name(verdict), path=run_folder(verdict.name, verdict.uid))


def _with_report(old: Status, report: Progress | None) -> Status:
    if report is None:
        return old
    hours = round(report.gpu_seconds / 3600, 3)
    return old.with_news(report).model_copy(update={"gpu_hours": max(hours, old.gpu_hours or 0) or None})


def _at_phase(new: Status, observed: Observed, now: datetime) -> Status:
    """Leave out what only a running job has, and say when it ended."""
    changes: dict[str, object] = {}
    if new.phase != "Running" and new.progress:
        changes["progress"] = new.progress.model_copy(update={"eta": None, "eta_seconds": None})
    if new.phase == "Succeeded":
        changes["stage"] = None
        changes["progress"] = _complete(new.progress)
    if new.phase in FINISHED:
        end = _end(observed) or {}
        changes["completion_time"] = end.get("lastTransitionTime") or text(now)
    return new.model_copy(update=changes)


def _complete(progress: ProgressStatus | None) -> ProgressStatus | None:
    done = {"display": "100%", "percent": 100, "detail": None, "eta": None, "eta_seconds": None}
    return progress and progress.model_copy(update=done)


def _conditions(
    new: Status,
    observed: Observed,
    verdict: Verdict,
    report: Progress | None,
    now: datetime,
    applied: list[_Claim],
    *,
    checks: bool,
) -> list[Condition]:
    claims = [_accepted(verdict, observed), *_preflight_passed(new, checks=checks), _running(new, observed), *applied]
    suspended = suspension.asked(observed.job)
    if suspended or _old(observed, "Suspended"):
        claims.append(_suspended(new.phase == "Suspended", suspended))
    claims += _guarded(report)
    if new.phase in FINISHED:
        claims.append(_Claim(new.phase, True, _end_reason(new.failure), _end_message(new)))
    if new.phase not in FINISHED and (reporting := _reporting(observed)):
        claims.append(reporting)
    told = {claim.type for claim in claims}
    if new.preflight is None:
        told.add("PreflightPassed")  # of another spec, or of one that has none any more
    if new.phase in FINISHED or not any(map(pods.is_running, observed.pods)):
        told.add("Reporting")  # of a pod that has ended there is nothing to hear
    kept = [condition for condition in observed.status.conditions if condition.type not in told]
    return [_condition(claim, observed, now) for claim in claims] + kept


def _accepted(verdict: Verdict, observed: Observed) -> _Claim:
    if isinstance(verdict, Problem):
        return _Claim("Accepted", False, verdict.reason, verdict.told)
    if is_wanted(verdict.spec):
        checks = "data and rewards are checked by a preflight"
        return _Claim("Accepted", True, "Valid", f"the spec can be run; {checks}{_earlier_claim(verdict, observed)}")
    gpu = " (guards.preflight is off: the GPU is held meanwhile)" if verdict.spec.parallelism.gpus_per_node else ""
    checks = f"data and rewards are checked first thing in the training pod{gpu}"
    return _Claim("Accepted", True, "Valid", f"the spec can be run; {checks}{_earlier_claim(verdict, observed)}")


def _earlier_claim(job: TrainingJob, observed: Observed) -> str:
    """Say that the run writes to a claim that an earlier job of this name left, and whether that has another size."""
    claim = observed.claim
    mine = claim is None or claim["metadata"].get("labels", {}).get(UID_LABEL) == job.uid
    if mine or claim is None or job.spec.storage.existing_claim:
        return ""
    size = claim["spec"]["resources"]["requests"]["storage"]
    asked = "" if size == job.spec.storage.size else f" (spec.storage.size asks for {job.spec.storage.size})"
    return (
        f"; it writes to the claim {claim['metadata']['name']} of {size} that an earlier job of this name left{asked}"
    )


def _spec_applied(observed: Observed, verdict: Verdict, settings: Settings) -> list[_Claim]:
    """Say which changes of the spec wait for a pod, and that one was made with them; nothing while all is as it was."""
    if isinstance(verdict, Problem):
        return []
    if waiting := changing.waiting(verdict, observed, settings):
        return [_Claim("SpecApplied", False, "Applying", "; ".join(waiting))]
    old = _old(observed, "SpecApplied")
    if old and old.status == "False" and changing.is_applied(verdict, observed, settings):
        return [_Claim("SpecApplied", True, "Applied", old.message)]
    return []


def _preflight_passed(new: Status, *, checks: bool) -> list[_Claim]:
    """Say whether the preflight passed; nothing of a job that has none."""
    ended = new.preflight
    if ended is None:
        waits = new.failure.told if new.failure else "data and rewards are checked in a pod without a GPU"
        return [_Claim("PreflightPassed", None, "Checking", waits)] if checks else []
    found = "; ".join(each.told for each in ended.findings)
    if ended.passed:
        return [_Claim("PreflightPassed", True, "Passed", found or "nothing is to be mended")]
    reason = new.failure.reason if new.failure else "Failed"
    return [_Claim("PreflightPassed", False, reason, found or (new.failure.told if new.failure else ""))]


def _guarded(report: Progress | None) -> list[_Claim]:
    """Return what the guards say; a condition that is not a guard's is not the trainer's to tell."""
    verdicts = report.verdicts if report else ()
    return [_Claim(each.condition, each.ok, each.reason, each.message) for each in verdicts if _is_guards(each)]


def _is_guards(verdict: GuardReport) -> bool:
    return verdict.condition in GUARD_CONDITIONS


def _running(new: Status, observed: Observed) -> _Claim:
    if new.phase == "Running":
        pod = observed.attempts[-1].lead["metadata"]["name"]
        return _Claim("Running", True, "PodRunning", f"attempt {new.attempts} runs in pod {pod}")
    last = observed.attempts[-1].lead if observed.attempts else None
    if new.phase == "Starting" and last and pods.is_over(last) and pods.was_interrupted(last):
        return _Claim("Running", False, "Interrupted", "the pod was interrupted; the next goes on from the checkpoint")
    if new.failure and new.phase not in FINISHED:
        return _Claim("Running", False, new.failure.reason, new.failure.message)
    return _Claim("Running", False, new.phase or "Pending", _NOT_RUNNING.get(new.phase or "", ""))


_NOT_RUNNING = {
    "Preflight": "no GPU is asked for until the preflight has passed",
    "Starting": "waiting for the pod to start",
    "Suspended": "spec.suspend is true",
    "Succeeded": "the run is done",
    "Failed": "the run has ended",
}


def _suspended(is_suspended: bool, asked: bool) -> _Claim:
    if is_suspended:
        return _Claim("Suspended", True, "SuspendedByUser", "no pod runs; set spec.suspend to false to go on")
    if asked:
        return _Claim("Suspended", False, "Stopping", "the pod saves a checkpoint and ends")
    return _Claim("Suspended", False, "Resumed", "spec.suspend is false")


def _reporting(observed: Observed) -> _Claim | None:
    """Say that the pod that runs is not heard, and that it is heard again; None while neither is known."""
    running = [pod["metadata"]["uid"] for pod in observed.pods if pods.is_running(pod)]
    silence = next((observed.silent[uid] for uid in running if uid in observed.silent), None)
    if silence:
        return _Claim("Reporting", False, silence.reason, f"the training pod runs, but {silence.told}")
    heard = any(uid in observed.progress for uid in running)
    if heard and _old(observed, "Reporting"):
        return _Claim("Reporting", True, "Heard", "the training pod tells its progress")
    return None


def _end_reason(failure: Failure | None) -> str:
    return failure.reason if failure else "Completed"


def _end_message(new: Status) -> str:
    if new.failure:
        return new.failure.told
    scores = new.evaluation
    base, last = (scores.held_out.base, scores.held_out.last) if scores else (None, None)
    for figure, what in (("accuracy", "held-out accuracy"), ("preferred", "held-out pairs preferred")):
        before, after = getattr(base, figure, None), getattr(last, figure, None)
        if base is not last and before is not None and after is not None:
            return f"{what} {before:.3f} before and {after:.3f} after training"
    return "training is done"


def _condition(claim: _Claim, observed: Observed, now: datetime) -> Condition:
    state = {True: "True", False: "False", None: "Unknown"}[claim.is_true]
    before = _old(observed, claim.type)
    since = before.last_transition_time if before and before.status == state else text(now)
    return Condition.model_validate(
        {
            "type": claim.type,
            "status": state,
            "reason": claim.reason,
            "message": claim.message[:_MESSAGE_LIMIT],
            "lastTransitionTime": since,
            "observedGeneration": observed.job["metadata"].get("generation"),
        }
    )


_MESSAGE_LIMIT = 2000
_LOG_LIMIT = 1500


def _old(observed: Observed, kind: str) -> Condition | None:
    return next((condition for condition in observed.status.conditions if condition.type == kind), None)


def as_json(value: Status) -> Json:
    """Return a status in the form of the API."""
    return value.model_dump(by_alias=True, exclude_none=True)
