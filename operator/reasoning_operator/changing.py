"""What a user has changed in the spec of a job whose pods were made with another, and jobs that start again. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

from pydantic import ValidationError

from reasoning_contract.api import RETRY
from reasoning_contract.choice import Choice
from reasoning_contract.rates import LearningRate, with_rates
from reasoning_contract.spec import Spec
from reasoning_contract.spec.changing import changed_fields, is_course, is_heeded_by_attempts
from reasoning_contract.spec.nature import Nature

from .children import config, training_job
from .children.table import built
from .model import Json, Observed, TrainingJob
from .settings import Settings
from .specs import KEPT


def waiting(job: TrainingJob, observed: Observed, settings: Settings) -> list[str]:
    """Return the changes that a job's next pod will heed: ``reinforce.learningRate: 5e-06 -> 0.0001``.

    Parameters
    ----------
    job
        The job as it should be.
    observed
        What is there.
    settings
        Settings of the operator.
    """
    return _changes(job, observed, settings, is_heeded_by_attempts)


def restarts(job: TrainingJob, observed: Observed, settings: Settings) -> bool:
    """Whether a pod that may be at work is to be started anew, because the user changed how the run goes on.

    Specs are compared, not what was made from them: another version of the operator disturbs no run.
    """
    return bool(_changes(job, observed, settings, is_course))


def is_applied(job: TrainingJob, observed: Observed, settings: Settings) -> bool:
    """Whether the Job is there that was made with the spec as it is."""
    live, wanted = observed.batch_job, built(job, settings)["batch_job"]
    if live is None or wanted is None or live["metadata"].get("deletionTimestamp"):
        return False
    return training_job.made_with(live) == training_job.made_with(wanted)


def _changes(job: TrainingJob, observed: Observed, settings: Settings, wanted: Callable[[Nature], bool]) -> list[str]:
    live, held = observed.batch_job, observed.config_map
    if live is None or held is None or not observed.owns(live) or is_applied(job, observed, settings):
        return []
    if training_job.made_with(live)[1] != config.hash_of(held):
        return []  # somebody else wrote it: what the pods were made with is not known
    before = _resolved(held["data"][config.KEY], job.choice)
    if before is None:
        return []
    rates = observed.status.learning_rates or {}
    found = changed_fields(_with_open_rates(before, rates), _with_open_rates(job.spec, rates), wanted)
    return [each for each in found if observed.asked is None or _says(observed.asked, each.partition(":")[0])]


def _with_open_rates(spec: Spec, chosen: Mapping[str, LearningRate]) -> Spec:
    """Return a spec with the rates that the trainer chose where it has none."""
    is_open = {stage: rate for stage, rate in chosen.items() if getattr(spec, stage).learning_rate is None}
    return with_rates(spec, is_open)


def _says(spec: Json, path: str) -> bool:
    """Whether a spec has a field itself: an administrator's other default for one that it lacks disturbs no run."""
    inner: Any = spec
    for name in path.split("."):
        if not isinstance(inner, dict) or name not in inner:
            return False
        inner = inner[name]
    return True


@lru_cache(KEPT)
def _resolved(text: str, choice: Choice) -> Spec | None:
    """Return the spec that a ConfigMap holds with every choice made; None if this version cannot read it."""
    try:
        return choice.applied(Spec.model_validate(json.loads(text)["spec"]))
    except ValidationError:
        return None


def retry_asked(observed: Observed) -> bool:
    """Whether a failed job is to start again: its annotation has a value that was not heeded yet."""
    asked = retry_value(observed.job)
    return observed.status.phase == "Failed" and asked is not None and asked != observed.status.retry


def retry_value(job: Json) -> str | None:
    """Return what a job's annotation says."""
    value: str | None = job["metadata"].get("annotations", {}).get(RETRY)
    return value


def is_cleared(observed: Observed) -> bool:
    """Whether nothing is left of the attempts that failed: what is made then cannot be taken for theirs."""
    return not observed.owns(observed.batch_job) and not observed.pods


def begun_again(observed: Observed) -> Observed:
    """Return what is observed of a failed job as if it had not failed."""
    status = {name: value for name, value in observed.job["status"].items() if name not in _OF_THE_END}
    status["conditions"] = [each for each in status.get("conditions", []) if each["type"] != "Failed"]
    return replace(observed, job=observed.job | {"status": status})


_OF_THE_END = ("phase", "completionTime", "failure")
