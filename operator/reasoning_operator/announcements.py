"""What a change of status says to a user as Events. Pure."""

from __future__ import annotations

from typing import NamedTuple

from reasoning_contract.job_status import Condition, Status

from .names import output_claim


class Announcement(NamedTuple):
    """An Event to be."""

    type: str
    """Normal or Warning."""
    reason: str
    message: str


_MESSAGES = {
    "Preflight": "data and rewards are checked before a GPU is asked for",
    "Starting": "the training pod is asked for",
    "Suspended": "the pod has ended; the run goes on from its checkpoint when spec.suspend is false again",
    "Succeeded": "training is done",
}


def announcements(old: Status, new: Status) -> list[Announcement]:
    """Return the events that a change of status is worth: phases, stages, new attempts and problems; never steps."""
    events = []
    if new.phase != old.phase and new.phase in _MESSAGES:
        events.append(Announcement("Normal", new.phase, _MESSAGES[new.phase]))
    if new.attempts and new.attempts != old.attempts and new.phase == "Running":
        events.append(Announcement("Normal", "AttemptStarted", f"attempt {new.attempts} runs"))
    step, stage = new.resumed_from_step, new.resumed_from_stage
    if step is not None and (step, stage) != (old.resumed_from_step, old.resumed_from_stage):
        place = f"step {step} of {stage}" if stage else f"step {step}"
        events.append(Announcement("Normal", "Resumed", f"attempt {new.attempts} goes on from {place}"))
    if new.stage and new.stage != old.stage and new.phase == "Running":
        events.append(Announcement("Normal", "Stage", f"stage {new.stage}"))
    if (applied := _changed_spec(new)) and applied != _changed_spec(old):
        events.append(applied)
    if problem := _problem(old, new):
        events.append(problem)
    if (silence := _silence(new)) and _silence(old) is None:
        events.append(Announcement("Warning", silence.reason, silence.message))
    return events


def claim_stays(namespace: str, name: str) -> Announcement:
    """Return what is said of the claim of a job that is deleted."""
    return Announcement(
        "Normal",
        "ClaimStays",
        f"job {name} is deleted, and what it wrote stays here (spec.storage.retain): a job of that name writes to this "
        f"claim again; kubectl delete pvc -n {namespace} {output_claim(name)} throws it away",
    )


def _changed_spec(status: Status) -> Announcement | None:
    """Return what the condition of a changed spec says."""
    told = next((each for each in status.conditions if each.type == "SpecApplied"), None)
    if told is None:
        return None
    if told.status == "True":
        return Announcement("Normal", "SpecApplied", f"the job goes on with {told.message}")
    ends = "a pod that runs saves a checkpoint and ends, which costs no attempt; the next goes on with"
    return Announcement("Normal", "SpecApplying", f"{ends} {told.message}")


def _silence(status: Status) -> Condition | None:
    """Return the condition that says that a running pod is not heard."""
    return next((each for each in status.conditions if (each.type, each.status) == ("Reporting", "False")), None)


def _problem(old: Status, new: Status) -> Announcement | None:
    failure = new.failure
    if failure is None:
        return None
    same = old.failure and (old.failure.reason, old.failure.pod) == (failure.reason, failure.pod)
    if same and new.phase == old.phase:
        return None
    return Announcement("Warning", failure.reason, failure.told)
