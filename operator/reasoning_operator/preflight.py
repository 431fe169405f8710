"""Whether the check before a GPU is asked for stands between a job and its Job, and what it found. Pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from reasoning_contract.finding import Finding
from reasoning_contract.job_status import Failure, PreflightStatus

from . import pods
from .children.table import built
from .children.training_job import made_with
from .diagnosis import diagnose, of_end
from .model import Json, Observed, TrainingJob
from .settings import Settings


def is_due(job: TrainingJob, observed: Observed, settings: Settings) -> bool:
    """Whether the Job that trains waits for the preflight: one that is made is past it.

    Parameters
    ----------
    job
        The job.
    observed
        What is there.
    settings
        Settings of the operator, by which the preflight is made.
    """
    wanted = built(job, settings)["preflight"]
    if wanted is None or observed.batch_job is not None:
        return False
    ended = result(job, observed, settings)
    return ended is None or not ended.passed


def result(job: TrainingJob, observed: Observed, settings: Settings) -> PreflightStatus | None:
    """Return how the preflight of a job as it is ended; None while it has not, and where there is none.

    What passed has passed, whatever becomes of its Job; what failed is run again when somebody deletes that.
    """
    wanted = built(job, settings)["preflight"]
    if wanted is None:
        return None
    checked = "-".join(map(str, made_with(wanted)))
    old = observed.status.preflight
    old = old if old and old.checked == checked else None
    live = observed.preflight
    if live is None or not observed.owns(live) or made_with(live) != made_with(wanted):
        return old if old and old.passed else None
    end = pods.job_end(live)
    if end is None or "deletionTimestamp" in live["metadata"]:
        return old if old and old.passed else None
    if old and not observed.preflight_pods:  # Kubernetes collects pods that are over
        return old
    return PreflightStatus(passed=end["type"] == "Complete", checked=checked, findings=_findings(observed))


def problem(observed: Observed, image_deadline: timedelta, now: datetime) -> Failure | None:
    """Return what keeps the preflight from passing: of its pod nothing is final, for all of it may be mended in place.

    Parameters
    ----------
    observed
        What is there.
    image_deadline
        How long an image may fail to be pulled; the pod goes on trying.
    now
        The time.
    """
    end = pods.job_end(observed.preflight)
    found = _of_failed(observed, end) if end else diagnose(as_run(observed), image_deadline, now)
    return found.model_copy(update={"final": False}) if found and found.pod else found


def as_run(observed: Observed) -> Observed:
    """Return what is observed as if the preflight were the run, for what is read out of pods that wait or ended."""
    return replace(observed, batch_job=observed.preflight, pods=observed.preflight_pods, claim=None)


def _findings(observed: Observed) -> list[Finding]:
    said = (pods.outcome(pod) for pod in reversed(observed.preflight_pods))
    return next((outcome.findings for outcome in said if outcome), [])


def _of_failed(observed: Observed, end: Json) -> Failure | None:
    if end["type"] != "Failed":
        return None
    name = (observed.preflight or {})["metadata"]["name"]
    ends = [of_end(pod, as_run(observed)) for pod in observed.preflight_pods if pods.is_over(pod)]
    last = next((each for each in reversed(ends) if each), None)
    if last is None:
        last = Failure(reason=end.get("reason", "PreflightFailed"), message=end.get("message", "the preflight failed"))
    again = f"an edit of the spec checks it again, and so does: kubectl delete job {name}"
    return last.model_copy(update={"hint": "; ".join(filter(None, (last.hint, again)))})
