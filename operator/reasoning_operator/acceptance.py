"""Whether a job can be run as it stands: its spec, what this version supports, what it refers to, and free names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from pydantic import ValidationError

from reasoning_contract.api import KIND, MANAGER, UID_LABEL
from reasoning_contract.problem import Problem
from reasoning_contract.rules import Fault, faults
from reasoning_contract.unbuilt import unsupported

from .children import pod, volume
from .children.table import built
from .inputs import output_claim_of, references
from .job_defaults import SMALLEST, with_defaults
from .job_policy import policy_faults
from .model import Json, Observed, TrainingJob, owners
from .pod_rules import pod_faults
from .settings import Settings
from .spec_texts import text_faults
from .specs import decide

Verdict: TypeAlias = TrainingJob | Problem
_CONFIG_MAP_LIMIT = 1024 * 1024
"""Bytes of text that the API server lets a ConfigMap hold."""


def accept(observed: Observed, settings: Settings) -> Verdict:
    """Return the job with its spec resolved, or why it is not run.

    Parameters
    ----------
    observed
        What is there.
    settings
        Settings of the operator, for its default images.
    """
    if lost := _lost_claim(observed):
        return lost
    try:
        job = TrainingJob.of(observed.job)
    except ValidationError as error:
        return _invalid(faults(error, "spec"), observed)
    return (
        _unrunnable(job, observed)
        or _unmakeable(job, observed, settings)
        or _missing_image(job, observed, settings)
        or _missing(job, observed)
        or _taken(job, observed)
        or job
    )


def faults_of_defaults(settings: Settings) -> str:
    """Return what no job could be run with of the administrator's defaults; empty if all is well."""
    meta = {"namespace": "default", "name": "name", "uid": "uid"}
    job = TrainingJob.of({"metadata": meta, "spec": with_defaults(SMALLEST, settings.job_defaults)})
    clash = pod.reserved(job)
    return "; ".join(str(each).removeprefix("spec.") for each in [*([clash] if clash else []), *pod_faults(job)])


def _begun(observed: Observed) -> bool:
    """Whether an operator, perhaps of another version, has started the job: this one then lets it end by itself."""
    return observed.owns(observed.batch_job) or observed.status.start_time is not None


def _correct(observed: Observed) -> str:
    """Return how a spec is corrected: one that has begun rests meanwhile, one that has not has failed."""
    if _begun(observed):
        return "set spec.suspend to true, correct these fields and set it to false: the run goes on where it was"
    return "correct these fields"


def _invalid(found: Sequence[Fault], observed: Observed, reason: str = "SpecInvalid") -> Problem:
    """Return the refusal of a spec that nothing in the cluster can put right."""
    return Problem(
        reason=reason,
        message="; ".join(map(str, found)),
        hint=_correct(observed),
        field=found[0].field,
        final=not _begun(observed),
    )


def _unrunnable(job: TrainingJob, observed: Observed) -> Problem | None:
    if lacking := unsupported(job.spec):
        return _invalid([Fault(*each) for each in lacking], observed, "NotSupported")
    if clash := pod.reserved(job):
        return _invalid([clash], observed)
    return None


def _unmakeable(job: TrainingJob, observed: Observed, settings: Settings) -> Problem | None:
    """Return the refusal of a job of which the API server would refuse a child: it may be corrected where it stands."""
    asked = job.given if observed.asked is None else decide(observed.asked).given
    found = [*policy_faults(asked, settings.job_policy), *text_faults(job.spec), *pod_faults(job)]
    found += _too_large(job, settings)
    if not found:
        return None
    hint = _correct(observed) if _begun(observed) else "correct these fields: the job then goes on by itself"
    return Problem(reason="SpecInvalid", message="; ".join(map(str, found)), hint=hint, field=found[0].field)


def _too_large(job: TrainingJob, settings: Settings) -> list[Fault]:
    """Return the rows of a spec that its ConfigMap cannot hold."""
    size = sum(len(text.encode()) for text in (built(job, settings)["config_map"] or {})["data"].values())
    if size <= _CONFIG_MAP_LIMIT:
        return []
    sets: Json = job.given.data.model_dump(by_alias=True, exclude_none=True)
    with_rows = [name for name, each in sets.items() if isinstance(each, dict) and "rows" in each]
    largest = max(with_rows, key=lambda name: len(str(sets[name]["rows"])), default=None)
    field = f"spec.data.{largest}.rows" if largest else "spec"
    kept = f"the whole spec takes {size:,} bytes of the {_CONFIG_MAP_LIMIT:,} that a ConfigMap holds"
    advice = "put rows into a ConfigMap of their own (source: configmap://name/key) or on a claim (pvc://claim/path)"
    return [Fault(field, f"{kept}: {advice}")]


def _lost_claim(observed: Observed) -> Problem | None:
    if observed.claim is not None or observed.status.start_time is None:
        return None
    name = output_claim_of(observed.job)
    message = f"the claim {name} was deleted, and with it the checkpoints and whatever had been written"
    return Problem(
        reason="ClaimLost",
        message=message,
        hint="nothing can be resumed: delete the job and apply it again",
        final=True,
    )


def _missing_image(job: TrainingJob, observed: Observed, settings: Settings) -> Problem | None:
    keeps_its_own = observed.batch_job is not None and not observed.batch_job["spec"].get("suspend")
    if pod.image(job, settings) or keeps_its_own:
        return None
    kind = "with" if job.spec.parallelism.gpus_per_node else "without"
    message = f"spec.pod.image is empty, and the operator has no default image for jobs {kind} GPUs"
    return Problem(
        reason="ImageMissing",
        message=message,
        hint="name the trainer image in spec.pod.image, or set the operator's default",
        field="spec.pod.image",
    )


def _missing(job: TrainingJob, observed: Observed) -> Problem | None:
    if job.spec.storage.existing_claim and observed.claim is None:
        return _not_found("PersistentVolumeClaim", volume.claim_name(job), "spec.storage.existingClaim")
    if observed.inputs is None:
        return None
    for each in references(job.spec):
        keys = observed.inputs.get((each.kind, each.name))
        if keys is None:
            return _not_found(each.kind, each.name, each.field)
        if each.key and each.key not in keys:
            there = ", ".join(sorted(keys)) or "none"
            message = f"{each.field}: the ConfigMap {each.name} has no key {each.key} (it has: {there})"
            return Problem(
                reason="ConfigMapKeyNotFound",
                message=message,
                hint="add the key: the job then goes on by itself",
                field=each.field,
            )
    return None


def _not_found(kind: str, name: str, field: str) -> Problem:
    reason = "ClaimNotFound" if kind == "PersistentVolumeClaim" else "ConfigMapNotFound"
    message = f"{field}: there is no {kind} {name} in the job's namespace"
    return Problem(reason=reason, message=message, hint="create it: the job then goes on by itself", field=field)


def _taken(job: TrainingJob, observed: Observed) -> Problem | None:
    children = (observed.batch_job, observed.preflight, observed.config_map, observed.network_policy)
    for child in filter(None, children):
        if not observed.owns(child):
            return _taken_by_earlier_job(job, child) or _conflict(
                child, "delete or rename it, or give the job another name: the job then goes on by itself"
            )
    return None if job.spec.storage.existing_claim else _taken_claim(job, observed.claim)


def _taken_by_earlier_job(job: TrainingJob, child: Json) -> Problem | None:
    if not any((owner["kind"], owner["name"]) == (KIND, job.name) for owner in owners(child)):
        return None
    message = f"{child['kind']} {child['metadata']['name']} belongs to an earlier job of this name"
    return Problem(
        reason="NameConflict",
        message=message,
        hint="wait until Kubernetes has deleted it: the job then goes on by itself",
    )


def _taken_claim(job: TrainingJob, claim: Json | None) -> Problem | None:
    if claim is None or claim["metadata"].get("labels", {}).get(UID_LABEL) == job.uid:
        return None
    # A claim that an earlier job of this name left is used again, but never deleted with a job that did not make it.
    if job.spec.storage.retain and _was_made_here(claim):
        return None
    if earlier := _taken_by_earlier_job(job, claim):
        return earlier
    return _conflict(claim, "delete it, or name it in spec.storage.existingClaim of a new job to write to it")


def _was_made_here(claim: Json) -> bool:
    labels = claim["metadata"].get("labels", {})
    return labels.get("app.kubernetes.io/managed-by") == MANAGER and not claim["metadata"].get("ownerReferences")


def _conflict(child: Json, hint: str) -> Problem:
    name = f"{child['kind']} {child['metadata']['name']}"
    return Problem(reason="NameConflict", message=f"{name} is there already and does not belong to this job", hint=hint)
