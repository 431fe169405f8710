"""What `kubectl apply` refuses, by a real API server: schema, CEL rules and transition rules."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.manifests import TABLE, merge

ROOT = Path(__file__).parents[2]
Kubectl = Callable[..., subprocess.CompletedProcess[str]]
"""Runs kubectl and returns whatever comes: most of what is tested here is refused."""


def manifest(name: str, **patch: Any) -> str:
    return json.dumps(
        {
            "apiVersion": "reasoning-operator.io/v1alpha1",
            "kind": "ReasoningTrainingJob",
            "metadata": {"name": name},
            "spec": merge(TABLE["good"], patch),
        }
    )


@pytest.fixture(scope="module")
def kubectl(api_server: Path, kubectl_of: Any) -> Kubectl:
    run = kubectl_of(api_server)
    run("apply", "--server-side", "--force-conflicts", "-f", str(ROOT / "crds"))
    run("wait", "--for=condition=Established", "--timeout=30s", "-f", str(ROOT / "crds"))
    return run.ask


def test_good_manifest_is_accepted_and_gets_defaults(kubectl: Kubectl) -> None:
    answer = kubectl("create", "--dry-run=server", "-o", "json", "-f", "-", stdin=manifest("good"))
    assert answer.returncode == 0, answer.stderr
    spec = json.loads(answer.stdout)["spec"]
    assert spec["reinforce"]["numGenerations"] == 8
    assert spec["chatTemplate"]["answerTags"] == {"start": "<answer>", "end": "</answer>"}
    assert spec["guards"]["learningSignal"] == {"action": "fail", "windowSteps": 20, "minNonZeroVariance": 0.05}


@pytest.mark.parametrize("case", TABLE["bad"], ids=lambda case: case["name"])
def test_bad_manifest_is_refused_by_name(kubectl: Kubectl, case: dict[str, Any]) -> None:
    answer = kubectl("create", "--dry-run=server", "-f", "-", stdin=manifest("bad", **case["patch"]))
    assert answer.returncode != 0, "accepted"
    message = answer.stderr.replace('unknown field "spec', "unknown field spec")
    assert case["field"] in message
    assert case["says"] in message


@pytest.mark.parametrize("name", ["x" * 51, "with.dot"])
def test_name_that_children_cannot_carry_is_refused(kubectl: Kubectl, name: str) -> None:
    answer = kubectl("create", "--dry-run=server", "-f", "-", stdin=manifest(name))
    assert answer.returncode != 0
    assert "metadata.name must be a DNS label of at most 50 characters" in answer.stderr


@pytest.fixture
def job(kubectl: Kubectl) -> Iterator[str]:
    name = "transition"
    assert kubectl("apply", "-f", "-", stdin=manifest(name)).returncode == 0
    yield name
    kubectl("delete", "rtj", name, "--wait=true")


def set_phase(kubectl: Kubectl, name: str, phase: str) -> None:
    patch = json.dumps({"status": {"phase": phase}})
    answer = kubectl("patch", "rtj", name, "--subresource=status", "--type=merge", "-p", patch)
    assert answer.returncode == 0, answer.stderr


def change(kubectl: Kubectl, name: str, patch: dict[str, Any]) -> str:
    """Return what the API server says against a change; nothing if it takes it."""
    return kubectl("patch", "rtj", name, "--type=merge", "-p", json.dumps({"spec": patch})).stderr


RECIPE_CHANGES = [
    ("backend", {"backend": "transformers"}),
    ("model", {"model": {"source": "hf://other/model"}}),
    ("lora", {"lora": {"rank": 8}}),
    ("chatTemplate", {"chatTemplate": {"systemPrompt": "Other."}}),
    ("inference", {"inference": {"enforceEager": True}}),
    ("data", {"data": {"train": {"limit": 10}}}),
    ("warmup", {"warmup": {"epochs": 2}}),
    ("reinforce", {"reinforce": {"steps": 10}}),
    ("rewards", {"rewards": [{"name": "other", "builtin": "correctness"}]}),
    ("evaluation", {"evaluation": {"samples": 1}}),
    ("export", {"export": {"formats": ["merged16bit"]}}),
    ("guards", {"guards": {"learningSignal": {"action": "warn"}}}),
    ("checkpoint", {"checkpoint": {"everySteps": 5}}),
    ("parallelism", {"parallelism": {"gpusPerNode": 2}}),
    ("queue", {"queue": {"name": "team"}}),
    ("pod", {"pod": {"labels": {"a": "b"}}}),
    ("storage.cacheClaim", {"storage": {"cacheClaim": "caches"}}),
]


@pytest.mark.parametrize("phase", ["Starting", "Running", "Succeeded", "Failed"])
def test_recipe_stands_still_once_the_run_has_begun(kubectl: Kubectl, job: str, phase: str) -> None:
    set_phase(kubectl, job, phase)
    way_out = "this job has finished" if phase in ("Succeeded", "Failed") else "suspend the job first"
    for part, patch in RECIPE_CHANGES:
        said = change(kubectl, job, patch)
        assert f"spec.{part} cannot change once the run has begun" in said, part
        assert way_out in said, part
    assert change(kubectl, job, {"suspend": True, "limits": {"maxAttempts": 5}, "storage": {"retain": False}}) == ""


@pytest.mark.parametrize("phase", ["Pending", "Suspended"])
def test_recipe_may_change_before_and_while_suspended(kubectl: Kubectl, job: str, phase: str) -> None:
    set_phase(kubectl, job, phase)
    for part, patch in RECIPE_CHANGES:
        assert change(kubectl, job, patch) == "", part


@pytest.mark.parametrize(
    "patch",
    [{"size": "30Gi"}, {"existingClaim": "mine"}, {"storageClassName": "fast"}],
    ids=lambda patch: next(iter(patch)),
)
def test_claim_stands_still_once_it_is_made(kubectl: Kubectl, job: str, patch: dict[str, Any]) -> None:
    set_phase(kubectl, job, "Pending")
    assert "spec.storage cannot change once the claim is made" in change(kubectl, job, {"storage": patch})
