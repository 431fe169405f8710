"""Who decides whether a job's batch/v1 Job is suspended: one owner at a time, so that nobody is fought. Pure."""

from __future__ import annotations

from typing import Literal, TypeAlias

from .model import Json

QUEUE_LABEL = "kueue.x-k8s.io/queue-name"
"""On a batch/v1 Job: the LocalQueue of Kueue's that admits it, by setting `suspend`."""
Owner: TypeAlias = Literal["user", "queue"]


def owner(batch_job: Json) -> Owner:
    """Return who owns `suspend` of a batch/v1 Job: the queue that it is in, else the user, by spec.suspend."""
    return "queue" if batch_job["metadata"].get("labels", {}).get(QUEUE_LABEL) else "user"


def asked(job: Json) -> bool:
    """Whether the user wants a ReasoningTrainingJob to rest."""
    return bool(job["spec"].get("suspend"))


def wanted(job: Json, batch_job: Json) -> bool | None:
    """Return what `suspend` of a batch/v1 Job should be; None where it is not the operator's to set."""
    return asked(job) if owner(batch_job) == "user" else None


def wanted_while_refused(job: Json, batch_job: Json) -> bool | None:
    """Return the same for a job that this version would not start: it may be suspended, and is not resumed."""
    rests = bool(batch_job["spec"].get("suspend"))
    return asked(job) or rests if owner(batch_job) == "user" else None
