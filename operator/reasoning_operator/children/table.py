"""The children of a job, a row each: from here they are watched, read, owned, made, put right and deleted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache

from .. import names
from ..kinds import CLAIM, CONFIG_MAP, JOB, NETWORK_POLICY, Kind
from ..model import Json, TrainingJob
from ..settings import Settings
from ..specs import KEPT
from . import config, network_policy, preflight, training_job, volume


class OnDrift(Enum):
    """What is done about a live child that is not as it should be; labels and owner are put right in any case."""

    PATCH = "the row's parts of it are put right"
    HOLD = "so are they, but what the attempts of a Job at work were made with stays as it is"
    RERUN = "it is made anew while the Job that waits for it is not there"
    REPLACE = "it is made anew while the spec may change; after that, what Kubernetes lets be changed is put right"


@dataclass(frozen=True)
class Row:
    """A child.

    Attributes
    ----------
    role
        What it is to the job: the name of its field in `Observed`.
    kind
        Its kind.
    name
        Its name, from the job's.
    build
        Returns the child as it should be; None if this job should have none.
    on_drift
        What is done when the live one differs.
    parts
        Parts of the object, beside its metadata, that are put right.
    deletable
        Whether the operator may delete one that it made; the chart grants that right by it.
    """

    role: str
    kind: Kind
    name: Callable[[str], str]
    build: Callable[[TrainingJob, Settings], Json | None]
    on_drift: OnDrift
    parts: tuple[str, ...] = ()
    deletable: bool = False


def _config_map(job: TrainingJob, _: Settings) -> Json:
    return config.build(job)


def _network_policy(job: TrainingJob, settings: Settings) -> Json | None:
    return network_policy.build(job, settings) if job.spec.pod.network_policy else None


def _preflight(job: TrainingJob, settings: Settings) -> Json | None:
    return preflight.build(job, settings) if preflight.is_wanted(job.spec) else None


def _claim(job: TrainingJob, _: Settings) -> Json | None:
    return None if job.spec.storage.existing_claim else volume.build(job)


TABLE = (
    Row("config_map", CONFIG_MAP, names.spec_config_map, _config_map, OnDrift.HOLD, ("data",)),
    Row("network_policy", NETWORK_POLICY, names.network_policy, _network_policy, OnDrift.PATCH, ("spec",), True),
    Row("claim", CLAIM, names.output_claim, _claim, OnDrift.PATCH),  # not its spec: a user may have had it expanded
    Row("preflight", JOB, names.preflight, _preflight, OnDrift.RERUN, ("spec",), True),
    Row("batch_job", JOB, names.batch_job, training_job.build, OnDrift.REPLACE, ("spec",), True),
)
"""The children in the order in which they are made: a Job reads what stands before it."""


@lru_cache(KEPT)
def built(job: TrainingJob, settings: Settings) -> Mapping[str, Json | None]:
    """Return the children as they should be, by role: built once for a job as it is, and not to be changed."""
    return {row.role: row.build(job, settings) for row in TABLE}


KINDS = tuple(dict.fromkeys(row.kind for row in TABLE))
