"""What to change in the cluster, decided from what was observed. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pydantic import ValidationError

from reasoning_contract.api import UID_LABEL
from reasoning_contract.problem import Problem
from reasoning_contract.spec import Limits
from reasoning_contract.spec.nature import CHANGEABLE_PHASES

from . import changing, pods, preflight, suspension
from .acceptance import Verdict
from .children import config, pod, training_job
from .children.table import TABLE, OnDrift, Row, built
from .diagnosis import turning_points
from .kinds import JOB
from .model import FINISHED, Json, Observed, TrainingJob
from .settings import Settings
from .times import parse


@dataclass(frozen=True)
class Plan:
    """What to change.

    Attributes
    ----------
    create
        Children that are not there.
    patch
        Live children, each with the merge patch that puts it right.
    delete
        Live objects to delete.
    requeue_after
        Seconds until the job is to be looked at again though nothing happened; None if an event will say so.
    retry
        Whether it is to be looked at again for what no watch tells of: a ConfigMap of the user's, a taken name.
    """

    create: tuple[Json, ...] = ()
    patch: tuple[tuple[Json, Json], ...] = ()
    delete: tuple[Json, ...] = ()
    requeue_after: float | None = None
    retry: bool = False


def plan(observed: Observed, verdict: Verdict, settings: Settings, now: datetime) -> Plan:
    """Return what to change in the cluster.

    Parameters
    ----------
    observed
        What is there.
    verdict
        Whether the job can be run.
    settings
        Settings of the operator.
    now
        The time.
    """
    if observed.is_going:
        return Plan()
    if changing.retry_asked(observed):
        return _before_it_begins_again(observed)
    if observed.status.phase in FINISHED:
        return _after_the_end(observed, now)
    if isinstance(verdict, Problem):
        return _while_refused(observed, verdict)
    return _towards(verdict, observed, settings, now)


def _while_refused(observed: Observed, verdict: Problem) -> Plan:
    """Heed limits, and the wish to suspend, of a job that is at work though this version would not start it.

    It is not resumed: that would start what is refused.
    """
    live, job = observed.batch_job, observed.job
    retry = not verdict.final
    if live is None or not observed.owns(live) or pods.job_end(live) or verdict.final:
        return Plan(retry=retry)
    suspend = suspension.wanted_while_refused(job, live)
    try:
        wanted = training_job.changeable(Limits.model_validate(job["spec"].get("limits", {})), suspend=suspend)
    except ValidationError:  # what is refused may be the limits
        wanted = {} if suspend is None else {"suspend": suspend}
    patch = difference(live, {"spec": wanted})
    return Plan(patch=((live, patch),) if patch else (), retry=retry)


def _before_it_begins_again(observed: Observed) -> Plan:
    """Delete the Job that failed, and with it its pods; when they are gone the status says that the job has begun."""
    live = observed.batch_job
    if live is None or not observed.owns(live) or live["metadata"].get("deletionTimestamp"):
        return Plan()
    return Plan(delete=(live,))


def _after_the_end(observed: Observed, now: datetime) -> Plan:
    """End what still runs of a job that the operator let fail, and delete the job when its time is over."""
    jobs = (observed.child(row.role) for row in TABLE if row.kind is JOB)
    running = [each for each in jobs if each is not None and observed.owns(each) and not pods.job_end(each)]
    ttl = observed.job["spec"].get("limits", {}).get("ttlSecondsAfterFinished")
    left = None if ttl is None else _seconds_left(observed.status.completion_time, ttl, now)
    expired = left is not None and left <= 0
    deleted = [*running, *([observed.job] if expired else [])]
    return Plan(delete=tuple(deleted), requeue_after=None if expired else left)


def _seconds_left(since: str | None, span: float, now: datetime) -> float | None:
    return (parse(since) + timedelta(seconds=span) - now).total_seconds() if since else None


def _towards(job: TrainingJob, observed: Observed, settings: Settings, now: datetime) -> Plan:
    wanted = built(job, settings)
    # an operator that has no image for a Job leaves it the one that it has
    to_replace = bool(pod.image(job, settings)) and _to_replace(job, wanted["batch_job"], observed, settings)
    checks = preflight.is_due(job, observed, settings)
    steps = [_step(row, wanted[row.role], job, observed, to_replace=to_replace, checks=checks) for row in TABLE]
    return Plan(
        create=tuple(child for step in steps for child in step.create),
        patch=tuple(patch for step in steps for patch in step.patch),
        delete=tuple(child for step in steps for child in step.delete),
        requeue_after=_next_look(job, observed, settings, now),
    )


def _step(
    row: Row, wanted: Json | None, job: TrainingJob, observed: Observed, *, to_replace: bool, checks: bool
) -> Plan:
    """Return what is to be done about one child; nothing about one that another made, or an earlier job left."""
    live = observed.child(row.role)
    if live is not None and not _is_mine(live, observed):
        return Plan()
    if wanted is None:
        return Plan(delete=(live,)) if live is not None and row.deletable else Plan()
    if row.on_drift is OnDrift.RERUN:
        return _preflight(wanted, observed, is_due=checks)
    if row.on_drift is OnDrift.REPLACE:
        return Plan() if checks else _batch_job(job, wanted, observed, to_replace=to_replace)
    if row.on_drift is OnDrift.HOLD:
        wanted = _held_for_attempts(job, wanted, observed, to_replace=to_replace)
    return _simple(wanted, live, *row.parts)


def _is_mine(live: Json, observed: Observed) -> bool:
    return observed.owns(live) or live["metadata"].get("labels", {}).get(UID_LABEL) == observed.uid


def _simple(wanted: Json, live: Json | None, *parts: str) -> Plan:
    """Create a child that is not there; put right its owner, its labels and the named parts where they differ."""
    if live is None:
        return Plan(create=(wanted,))
    patch = difference(live, {part: wanted[part] for part in parts} | {"metadata": _held(wanted)})
    return Plan(patch=((live, patch),)) if patch else Plan()


def _held(wanted: Json) -> Json:
    meta = wanted["metadata"]
    return {"labels": meta["labels"], "ownerReferences": meta.get("ownerReferences", [])}


def _to_replace(job: TrainingJob, wanted: Json | None, observed: Observed, settings: Settings) -> bool:
    """Whether the Job was made with another template or spec and is to be made anew.

    It is while no pod trains, which is until the status says Starting, and no container runs; at any time if the user
    changed how the run goes on. Its pods then have the time to save a checkpoint, as at a suspension.
    """
    live = observed.batch_job
    if changing.restarts(job, observed, settings):
        return True
    if live is None or wanted is None or observed.status.phase not in (None, *CHANGEABLE_PHASES):
        return False
    at_work = any(pods.started_at(each) and not pods.is_over(each) for each in observed.pods)
    return not at_work and training_job.made_with(live) != training_job.made_with(wanted)


def _is_idle(observed: Observed) -> bool:
    return all(pods.is_over(each) for each in observed.pods)


def _held_for_attempts(job: TrainingJob, wanted: Json, observed: Observed, *, to_replace: bool) -> Json:
    """Return the ConfigMap that should be there: it changes only when all that was made with it is gone."""
    batch_job, live = observed.batch_job, observed.config_map
    if live is None or (batch_job is None and _is_idle(observed)):
        return wanted
    if batch_job is None or to_replace or batch_job["metadata"].get("deletionTimestamp"):
        return wanted | {"data": live.get("data", {})}
    return config.for_attempts_of(batch_job, live, wanted, job.spec.limits.gpu_hours)


def _preflight(wanted: Json, observed: Observed, *, is_due: bool) -> Plan:
    live = observed.preflight
    if not is_due or (live and live["metadata"].get("deletionTimestamp")):
        return Plan()  # what it found is kept, and its log
    if live is None:
        # what a pod of an earlier Job was made with is not changed under it, and would be checked in the spec's place
        return Plan(create=(wanted,)) if _is_idle(observed) else Plan()
    if training_job.made_with(live) != training_job.made_with(wanted):
        return Plan(delete=(live,))
    if pods.job_end(live):
        return Plan()
    suspend = {"suspend": suspension.wanted(observed.job, live)}
    return _simple({"metadata": wanted["metadata"], "spec": suspend}, live, "spec")


def _batch_job(job: TrainingJob, wanted: Json, observed: Observed, *, to_replace: bool) -> Plan:
    live = observed.batch_job
    if live is None:
        # Two pods must never write to one folder: those of a Job that was deleted by hand end first.
        return Plan(create=(wanted,)) if _is_idle(observed) else Plan()
    if live["metadata"].get("deletionTimestamp") or pods.job_end(live):
        return Plan()
    if to_replace:
        return Plan(delete=(live,))  # its template cannot be changed; it is made anew when it is gone
    fields = training_job.changeable(job.spec.limits, suspend=suspension.wanted(observed.job, live))
    return _simple({"metadata": wanted["metadata"], "spec": fields}, live, "spec")


def _next_look(job: TrainingJob, observed: Observed, settings: Settings, now: datetime) -> float | None:
    """Return when time alone will have changed something: all else is watched. The deadline does not rest."""
    seen = preflight.as_run(observed) if preflight.is_due(job, observed, settings) else observed
    moments = turning_points(seen, timedelta(seconds=settings.image_pull_deadline_seconds))
    limit, start = job.spec.limits.active_deadline_seconds, observed.status.start_time
    if limit and start:
        moments.append(parse(start) + timedelta(seconds=limit))
    ahead = [(moment - now).total_seconds() for moment in moments if moment > now]
    return min(ahead, default=None)


def difference(live: Any, wanted: Json) -> Json:
    """Return the merge patch (RFC 7396) that gives an object what is wanted of it; empty if it has that already.

    What the API server or the user added is left alone. None in `wanted` means that the field should not be there.
    """
    patch = {}
    for name, value in wanted.items():
        if isinstance(value, dict) and isinstance(live.get(name), dict):
            if inner := difference(live[name], value):
                patch[name] = inner
        elif not _has(live.get(name), value):
            patch[name] = value
    return patch


def _has(live: Any, wanted: Any) -> bool:
    """Whether a live value is the wanted one, but for what the API server filled in or, if empty, left out."""
    if isinstance(wanted, dict):
        return isinstance(live, dict) and not difference(live, wanted)
    if isinstance(wanted, list) and isinstance(live, list | None):
        return len(live or []) == len(wanted) and all(map(_has, live or [], wanted))
    return bool(live == wanted)
