"""The CustomResourceDefinition."""

from __future__ import annotations

from typing import Any

from reasoning_contract.api import GROUP, KIND, NAME_LIMIT, PLURAL, VERSION
from reasoning_contract.job_status import Status
from reasoning_contract.spec import Spec
from reasoning_contract.spec.changing import IDLE_PHASES, MANNERS, SUCCEEDED
from reasoning_contract.spec.nature import Settled, settled

from .schema import schema_of, spec_schema

_COLUMNS = [
    # name, type, path, priority (1: only with -o wide)
    ("Phase", "string", ".status.phase", 0),
    ("Stage", "string", ".status.stage", 0),
    ("Progress", "string", ".status.progress.display", 0),
    ("ETA", "string", ".status.progress.eta", 0),
    ("Reward", "number", ".status.training.reward", 0),
    ("Base", "number", ".status.evaluation.heldOut.base.accuracy", 0),
    ("Final", "number", ".status.evaluation.finalAccuracy", 0),
    ("Problem", "string", ".status.failure.reason", 0),
    ("Age", "date", ".metadata.creationTimestamp", 0),
    ("Algorithm", "string", ".spec.reinforce.algorithm", 1),
    ("Model", "string", ".spec.model.source", 1),
    ("Attempts", "integer", ".status.attempts", 1),
    ("Queue", "string", ".spec.queue.name", 1),
    ("GPU-Hours", "number", ".status.gpuHours", 1),
    ("Message", "string", ".status.failure.message", 1),
]
_BEFORE = "!has(oldSelf.status) || !has(oldSelf.status.phase)"
_DONE = "oldSelf.status.phase == 'Succeeded'"
_IDLE = f"oldSelf.status.phase in {list(IDLE_PHASES)}"
_UNTRAINED = "(!has(oldSelf.status.training) || self.spec.checkpoint.onSpecChange == 'startOver')"
_ALLOWED = {"running": f"!({_DONE})", "suspended": _IDLE, "startOver": f"({_IDLE} && {_UNTRAINED})"}
"""Of a job with a phase: when a field of each kind may change."""


def _transition_rules() -> list[dict[str, str]]:
    fields = list(settled(Spec))
    fixed = [each for each in fields if each.nature.changes == "never"]
    storage = {
        "rule": f"{_BEFORE} || ({' && '.join(map(_unchanged, fixed))})",
        "message": "spec.storage cannot change once the claim is made, except retain and, while no pod trains, "
        "cacheClaim: create another job",
        "fieldPath": ".spec.storage",
    }
    return [*(_rule(each) for each in fields if each.nature.changes in _ALLOWED), storage]


def _rule(field: Settled) -> dict[str, str]:
    """Return the rule that refuses a change at the wrong time, in the words of the table of changes."""
    manner = MANNERS[field.nature.changes]
    done, at_work, trained = (
        text and text.format(field=field.path) for text in (SUCCEEDED, manner.at_work, manner.trained)
    )
    said = {
        "message": at_work or done or "",
        "messageExpression": " : ".join(
            [
                f"{_DONE} ? '{done}'",
                *([f"{_IDLE} ? '{trained}'"] if trained else []),
                f"'{at_work or done}'",
            ]
        ),
    }
    if said["message"] == done:
        del said["messageExpression"]
    return {
        "rule": f"{_BEFORE} || {_ALLOWED[field.nature.changes]} || {_unchanged(field)}",
        **said,
        "fieldPath": f".spec.{field.path}",
    }


def _unchanged(field: Settled) -> str:
    new, old = f"self.spec.{field.path}", f"oldSelf.spec.{field.path}"
    same = f"{new} == {old}"
    return f"(has({new}) == has({old}) && (!has({new}) || {same}))" if field.is_optional else same


def crd() -> dict[str, Any]:
    """Return the CustomResourceDefinition."""
    schema = {
        "type": "object",
        "description": "Trains a reasoning model: warm-up, RL, proof of the gain, adapter on a volume.",
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": spec_schema(),
            "status": schema_of(Status),
        },
        "x-kubernetes-validations": [
            {
                "rule": f"size(self.metadata.name) <= {NAME_LIMIT} && !self.metadata.name.contains('.')",
                "message": f"metadata.name must be a DNS label of at most {NAME_LIMIT} characters, without dots: "
                "pods and claims are named after it",
            },
            *_transition_rules(),
        ],
    }
    version = {
        "name": VERSION,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": schema},
        "subresources": {"status": {}},
        "additionalPrinterColumns": [
            {"name": name, "type": kind, "jsonPath": path, "priority": priority}
            for name, kind, path, priority in _COLUMNS
        ],
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{PLURAL}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": KIND,
                "listKind": f"{KIND}List",
                "plural": PLURAL,
                "singular": KIND.lower(),
                "shortNames": ["rtj"],
            },
            "versions": [version],
        },
    }
