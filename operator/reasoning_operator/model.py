"""What the pure modules speak of: a job that may run, and all that was read about it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from operator import itemgetter
from typing import Any, NamedTuple, TypeAlias

from pydantic import ValidationError

from reasoning_contract.choice import Choice
from reasoning_contract.job_status import Status
from reasoning_contract.problem import Problem
from reasoning_contract.progress import Progress
from reasoning_contract.spec import Spec

from .specs import KEPT, decide

Json: TypeAlias = dict[str, Any]
"""An object of the Kubernetes API as it stands on the wire."""

FINISHED = ("Succeeded", "Failed")
"""Phases that a job never leaves."""


class Key(NamedTuple):
    """Which ReasoningTrainingJob."""

    namespace: str
    name: str


class Attempt(NamedTuple):
    """The pods that try together to bring a run to its end.

    The n-th pod of each completion index belongs to the n-th attempt: a group is started anew as a whole.
    """

    pods: tuple[Json, ...]
    """In order of their index, of the Job that has any."""

    @property
    def lead(self) -> Json:
        """The pod that speaks for the attempt: it reports, and its last word is the attempt's."""
        return self.pods[0]


@dataclass(frozen=True, eq=False)
class TrainingJob:
    """A job whose spec is valid.

    Attributes
    ----------
    namespace, name, uid
        From its metadata.
    given
        The spec as the user gave it.
    choice
        What was chosen for it.
    spec
        The spec with every choice made.
    """

    namespace: str
    name: str
    uid: str
    given: Spec
    choice: Choice
    spec: Spec

    @classmethod
    def of(cls, job: Json) -> TrainingJob:
        """Read an object of the API: one whose spec is as it was is the same job, and what is built for it is kept.

        Raises
        ------
        pydantic.ValidationError
            If its spec is not valid.
        """
        meta = job["metadata"]
        return _training_job(meta["namespace"], meta["name"], meta["uid"], json.dumps(job.get("spec", {})))


@lru_cache(KEPT)
def _training_job(namespace: str, name: str, uid: str, spec: str) -> TrainingJob:
    return TrainingJob(namespace, name, uid, *decide(json.loads(spec)))


@dataclass(frozen=True)
class Observed:
    """A ReasoningTrainingJob and everything around it, read at one moment; of one that has finished its Job only.

    Attributes
    ----------
    job
        The object itself, with the administrator's defaults in what its user left empty.
    asked
        The spec as its user gave it; None if it is that of the object.
    batch_job, preflight, claim, config_map, network_policy
        Objects under the names of this job's children, whoever made them; None where there is none. `claim` is
        spec.storage.existingClaim where that is given.
    pods
        Pods of this job's Job, by UID label, oldest first; those of an earlier job of the same name are not among them.
    preflight_pods
        Pods of its preflight, in the same way.
    inputs
        Keys of the ConfigMaps that the spec refers to, and the claims (no keys): absent from the mapping if not there.
        None where they were not looked at, because the Job has been made already.
    events
        Events about the object that keeps the job from starting: the pod, its claim or the Job; oldest first.
    progress
        The last report of each pod that was heard, by the pod's UID.
    silent
        Why nothing is heard of a running pod, by the pod's UID.
    """

    job: Json
    asked: Json | None = None
    batch_job: Json | None = None
    preflight: Json | None = None
    claim: Json | None = None
    config_map: Json | None = None
    network_policy: Json | None = None
    pods: tuple[Json, ...] = ()
    preflight_pods: tuple[Json, ...] = ()
    inputs: Mapping[tuple[str, str], frozenset[str]] | None = None
    events: tuple[Json, ...] = ()
    progress: Mapping[str, Progress] = field(default_factory=dict)
    silent: Mapping[str, Problem] = field(default_factory=dict)

    @property
    def uid(self) -> str:
        """UID of the job."""
        uid: str = self.job["metadata"]["uid"]
        return uid

    @property
    def is_going(self) -> bool:
        """Whether the job is being deleted."""
        return "deletionTimestamp" in self.job["metadata"]

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        """The pods by attempt, the first attempt first."""
        ranks: dict[int, int] = {}
        groups: dict[int, list[tuple[int, Json]]] = {}
        for pod in self.pods:
            index = _completion_index(pod)
            rank = ranks[index] = ranks.get(index, -1) + 1
            groups.setdefault(rank, []).append((index, pod))
        ordered = (sorted(groups[rank], key=itemgetter(0)) for rank in sorted(groups))
        return tuple(Attempt(tuple(pod for _, pod in group)) for group in ordered)

    def child(self, role: str) -> Json | None:
        """Return the object under the name of a child, by its role in the table of children."""
        child: Json | None = getattr(self, role)
        return child

    @property
    def status(self) -> Status:
        """The status as it was written last."""
        return read_status(self.job)

    def owns(self, child: Json | None) -> bool:
        """Whether this job, and not another of the same name, controls an object."""
        return child is not None and any(owner["uid"] == self.uid for owner in owners(child))


def _completion_index(pod: Json) -> int:
    return int(pod["metadata"].get("labels", {}).get("batch.kubernetes.io/job-completion-index", 0))


def owners(child: Json) -> list[Json]:
    """Return the owner references of an object."""
    references: list[Json] = child["metadata"].get("ownerReferences", [])
    return references


def read_status(job: Json) -> Status:
    """Return the status that an object carries.

    A status of another version of the operator may have fields that this one does not know, and parts that it cannot
    read; those are left out. A phase that it does not know is an error: the job may have finished.
    """
    status = job.get("status", {})
    try:
        return Status.model_validate(status, extra="ignore")
    except ValidationError as error:
        unread = {fault["loc"][0] for fault in error.errors()}
        if "phase" in unread:
            raise
        read = {name: value for name, value in status.items() if name not in unread}
        return Status.model_validate(read, extra="ignore")
