"""What may change in a spec, when, and what then happens: the words that rules, statuses and documents share.

The fields themselves say which row of `MANNERS` is theirs (`nature.py`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ..api import RETRY
from .job import Spec
from .nature import Changes, Nature, pick

IDLE_PHASES = ("Pending", "Preflight", "Suspended", "Failed")
"""Phases in which no pod trains."""
START_OVER = "spec.checkpoint.onSpecChange: startOver"

SUCCEEDED = "spec.{field} cannot change: this job has succeeded. Create another one"
"""What is said of every field of a job that is done."""


@dataclass(frozen=True)
class Manner:
    """How fields of one kind change.

    Attributes
    ----------
    title
        What the fields have in common.
    when
        When they may change, and what then happens.
    at_work
        What is said to a change while the run is at work; None where it is taken.
    trained
        What is said while no pod runs and something is trained; None where the change is taken.
    """

    title: str
    when: str
    at_work: str | None = None
    trained: str | None = None


MANNERS: Mapping[Changes, Manner] = {
    "running": Manner(
        "How the run goes on",
        "At any time before the job has succeeded, in mid-run too. A pod that runs saves a checkpoint and ends, and "
        "another goes on from there with the new spec. That costs no attempt.",
    ),
    "suspended": Manner(
        "Where the run takes place",
        "While no pod trains: before the run, while it is suspended, and once it has failed. What is trained stays.",
        at_work="spec.{field} cannot change while the run is at work: set spec.suspend to true, and change it once the "
        "job is Suspended",
    ),
    "startOver": Manner(
        "What is learned",
        "While no pod trains. What is trained already would be another run's: the same change must have "
        f"`{START_OVER}`, and the next attempt throws it away and starts from the beginning.",
        at_work="spec.{field} cannot change in mid-run, because what is trained would be lost: create another job; or "
        "set spec.suspend to true and, once the job is Suspended, change it together with "
        f"{START_OVER}",
        trained="spec.{field} decides what is learned, and something is trained already: set "
        f"{START_OVER} in the same change to throw that away, or create another job",
    ),
    "anytime": Manner("Limits, and what only the operator heeds", "At any time, without a new pod."),
    "never": Manner(
        "The claim that is written to",
        "Never once it is made.",
    ),
}
"""The one table of changes."""

CHANGED_HINT = (
    "undo the change, or set "
    f"{START_OVER} to throw away what is trained; both are taken on a failed job, which the annotation {RETRY} then "
    "starts again in its folder"
)
"""What can be done where a new attempt finds that what is learned has changed."""


def retry_hint(name: str, last: str | None) -> str:
    """Return how a failed job is started again where it was.

    Parameters
    ----------
    name
        Name of the job.
    last
        Value of the annotation that was heeded last; None if none was.
    """
    number = int(last) + 1 if last and last.isascii() and last.isdigit() and len(last) < 10 else 1
    return f"start it again in its folder: kubectl annotate rtj {name} --overwrite {RETRY}={number}"


def is_heeded_by_attempts(nature: Nature) -> bool:
    """Whether a new value is heeded by a new pod: the trainer gets it, and it is no limit."""
    return nature.is_trainers and nature.changes != "anytime"


def is_recipe(nature: Nature) -> bool:
    """Whether what was trained with another value is another run's."""
    return nature.changes == "startOver"


def is_course(nature: Nature) -> bool:
    """Whether a field may change in mid-run, by a new pod."""
    return nature.changes == "running"


def changed_fields(before: Spec, now: Spec, wanted: Callable[[Nature], bool]) -> list[str]:
    """Return the fields of a nature in which two resolved specs differ, as `differences` has them."""
    return differences(pick(before, wanted), pick(now, wanted))


def differences(before: Mapping[str, Any], now: Mapping[str, Any], at: str = "") -> list[str]:
    """Return what differs between two documents, one text a field: ``reinforce.steps: 100 -> 200``."""
    found = []
    for key in sorted(before.keys() | now.keys()):
        old, new = before.get(key), now.get(key)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            found += differences(old, new, f"{at}{key}.")
        elif old != new:
            found.append(f"{at}{key}: {_brief(old)} -> {_brief(new)}")
    return found


def _brief(value: object) -> str:
    if value is None:
        return "not set"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else f"{text[:77]}..."
