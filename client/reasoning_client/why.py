"""Why a job is as it is, in words: from its object alone. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from reasoning_contract.finding import Finding
from reasoning_contract.job_status import Condition, Status
from reasoning_shared.job_view import read_status, seconds_since, verdict, warnings
from reasoning_shared.words import duration

Level = Literal["ok", "note", "warning", "error"]
STALE_SECONDS = 300
"""Silence of a running job after which it is said: a step of a large model may well take minutes."""
UNSEEN_SECONDS = 30
ANNOTATION = re.compile(r"kubectl annotate rtj \S+ --overwrite \S+=\d+")
"""How the operator says to start a job again, to whom has kubectl alone."""
RUNBOOKS = {
    "DifficultyFits": "ReasoningJobNotLearning",
    "LearningSignal": "ReasoningJobNotLearning",
    "KLBounded": "ReasoningJobKLRunaway",
    "EntropyKept": "ReasoningJobNotLearning",
    "CompletionsWhole": "ReasoningJobCompletionsClipped",
    "RewardsAgree": "ReasoningJobNotLearning",
}


@dataclass(frozen=True)
class Reason:
    """One thing to know about a job.

    Attributes
    ----------
    level
        How bad it is.
    what
        What is the case.
    why
        What it comes from, in the words of operator and trainer.
    fix
        What to do.
    """

    level: Level
    what: str
    why: str = ""
    fix: str = ""


def diagnose(document: Mapping[str, Any], now: datetime) -> list[Reason]:
    """Return what is to be known of a job, the worst first.

    Parameters
    ----------
    document
        The object.
    now
        The time, with its zone.
    """
    status = read_status(document)
    found = list(_reasons(document, status, now))
    order = {"error": 0, "warning": 1, "note": 2, "ok": 3}
    return sorted(found, key=lambda reason: order[reason.level])


def _reasons(document: Mapping[str, Any], status: Status, now: datetime) -> Iterator[Reason]:
    yield from _seen(document, status, now)
    if status.failure:
        yield _failure(status, document["metadata"])
    yield from _checked(status)
    yield from (_guard(each) for each in warnings(status.conditions))
    yield from _unheard(status, now)
    yield from _course(document, status)


def _seen(document: Mapping[str, Any], status: Status, now: datetime) -> Iterator[Reason]:
    """Tell of an operator that has not looked at the job, or not at what it is now."""
    meta = document["metadata"]
    waited = seconds_since(meta.get("creationTimestamp"), None, now)
    if status.phase is None and status.observed_generation is None:
        if waited > UNSEEN_SECONDS:
            fix = (
                "see whether the operator runs and watches this namespace: kubectl get pods -A -l "
                "app.kubernetes.io/name=reasoning-operator; its watchNamespaces may leave this one out"
            )
            yield Reason(
                "error", f"nobody has looked at it for {duration(waited)}", "the operator wrote no status", fix
            )
        else:
            yield Reason("note", "it was created just now", "the operator has not looked at it yet", "ask again")
        return
    generation = meta.get("generation")
    if status.observed_generation is not None and generation and status.observed_generation < generation:
        yield Reason(
            "note",
            "its spec was changed and the operator has not looked at that yet",
            f"generation {generation}, seen {status.observed_generation}",
            "ask again; if it stays so, see whether the operator runs",
        )


def _failure(status: Status, meta: Mapping[str, Any]) -> Reason:
    failure, name = status.failure, meta["name"]
    assert failure is not None
    failed = status.phase == "Failed"
    what = f"it failed: {failure.reason}" if failed else f"it cannot go on: {failure.reason}"
    place = [f"field {failure.field}" if failure.field else "", f"pod {failure.pod}" if failure.pod else ""]
    place += [f"exit code {failure.exit_code}" if failure.exit_code is not None else ""]
    about = ", ".join(filter(None, place))
    why = failure.message + (f" ({about})" if about else "")
    where = f" -n {meta['namespace']}" if "namespace" in meta else ""
    hint = ANNOTATION.sub(f"rtj retry {name}{where}", failure.hint or "")
    return Reason("error", what, why, hint or f"read its log: rtj logs {name}{where}")


def _checked(status: Status) -> Iterator[Reason]:
    checked = status.preflight
    for finding in checked.findings if checked else ():
        yield _finding(finding)


def _finding(finding: Finding) -> Reason:
    return Reason(finding.level, f"the preflight found in {finding.where}", finding.message, finding.hint)


def _guard(condition: Condition) -> Reason:
    page = RUNBOOKS.get(condition.type)
    fix = f"docs/runbooks/{page}.md" if page else "docs/guards.md"
    return Reason("warning", f"a guard warns: {condition.type} ({condition.reason})", condition.message, fix)


def _unheard(status: Status, now: datetime) -> Iterator[Reason]:
    if status.phase != "Running":
        return
    for each in status.conditions:
        if each.type == "Reporting" and each.status == "False":
            yield Reason(
                "warning", f"its pod runs and reports nothing ({each.reason})", each.message, "rtj logs shows it"
            )
            return
    if status.progress is None:
        return
    silent = seconds_since(status.progress.updated_at, None, now)
    if silent > STALE_SECONDS:
        what = f"no news for {duration(silent)}"
        yield Reason("warning", what, f"the last was {status.stage}: {status.progress.display}", "rtj logs shows more")


def _course(document: Mapping[str, Any], status: Status) -> Iterator[Reason]:
    phase, name = status.phase, document["metadata"]["name"]
    if phase == "Succeeded":
        yield Reason("ok", "it succeeded", verdict(status.evaluation), f"rtj download {name} brings what it wrote here")
    elif phase == "Suspended":
        at = f" after step {status.last_checkpoint.step}" if status.last_checkpoint else ""
        yield Reason("note", f"it is suspended{at}", "spec.suspend is true", f"rtj resume {name}")
    elif phase == "Running" and status.progress:
        left = f", {status.progress.eta} left" if status.progress.eta else ""
        yield Reason("ok", f"it runs: {status.stage}, {status.progress.display}{left}")
    elif phase in ("Starting", "Preflight", "Queued", "Pending") and not status.failure:
        words = {
            "Starting": ("its pod is being started", "the scheduler, the image and the volume take their time"),
            "Preflight": ("it is being checked before a GPU is asked for", "docs/preflight.md says what is looked at"),
            "Queued": ("it waits for its queue to admit it", "Kueue decides when"),
            "Pending": ("it has not begun", _pending(status)),
        }
        what, why = words[phase]
        yield Reason("note", what, why, "ask again in a minute")
    if (status.attempts or 0) > 1 and phase != "Failed":
        went_on = f"the last one went on from step {status.resumed_from_step}" if status.resumed_from_step else ""
        yield Reason("note", f"this is attempt {status.attempts}", went_on)


def _pending(status: Status) -> str:
    unmet = [each for each in status.conditions if each.status == "False" and each.message]
    return unmet[0].message if unmet else "the operator has not started it yet"
