"""The CustomResourceDefinition."""

from __future__ import annotations

from typing import Any

from reasoning_contract.api import GROUP, KIND, NAME_LIMIT, PLURAL, VERSION
from reasoning_contract.job_status import Status
from reasoning_contract.spec import Spec
from reasoning_contract.spec.nature import CHANGEABLE_PHASES, Mark, marks
from reasoning_operator.model import FINISHED

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
_STANDS = "cannot change once the run has begun"
_AT_WORK = "suspend the job first, or create another one"
_FINISHED = "and this job has finished: create another one, or delete it and apply it again"


def _transition_rules() -> list[dict[str, str]]:
    own = [mark for mark in marks(Spec) if mark.around is None or mark.around.changes != mark.nature.changes]
    frozen = [mark for mark in own if mark.nature.changes == "suspended"]
    fixed = [mark for mark in own if mark.nature.changes == "never"]
    storage = {
        "rule": f"{_BEFORE} || ({' && '.join(map(_unchanged, fixed))})",
        "message": "spec.storage cannot change once the claim is made, except retain and, while suspended, cacheClaim: "
        "create another job",
        "fieldPath": ".spec.storage",
    }
    return [*map(_frozen, frozen), storage]


def _frozen(mark: Mark) -> dict[str, str]:
    changeable = f"{_BEFORE} || oldSelf.status.phase in {list(CHANGEABLE_PHASES)}"
    stands = f"spec.{mark.path} {_STANDS}"
    at_work, finished = f"{stands}: {_AT_WORK}", f"{stands}, {_FINISHED}"
    return {
        "rule": f"{changeable} || {_unchanged(mark)}",
        "message": at_work,
        "messageExpression": f"oldSelf.status.phase in {list(FINISHED)} ? '{finished}' : '{at_work}'",
        "fieldPath": f".spec.{mark.path}",
    }


def _unchanged(mark: Mark) -> str:
    new, old = f"self.spec.{mark.path}", f"oldSelf.spec.{mark.path}"
    same = f"{new} == {old}"
    return f"(has({new}) == has({old}) && (!has({new}) || {same}))" if mark.is_optional else same


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
