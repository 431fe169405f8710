"""What `kubectl apply` refuses, by a real API server: schema, CEL rules and transition rules."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.cluster.operator_under_test import install_crd
from tests.manifests import TABLE, merge

from reasoning_contract.spec import Spec
from reasoning_contract.spec.changing import MANNERS, SUCCEEDED
from reasoning_contract.spec.nature import settled

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
    install_crd(api_server)
    ask: Kubectl = kubectl_of(api_server).ask
    return ask


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


LEARNED = [
    ("backend", {"backend": "transformers"}),
    ("model.source", {"model": {"source": "hf://other/model"}}),
    ("lora", {"lora": {"rank": 8}}),
    ("chatTemplate", {"chatTemplate": {"systemPrompt": "Other."}}),
    ("data.train", {"data": {"train": {"limit": 10}}}),
    ("data.difficulty", {"data": {"difficulty": {"rows": 10}}}),
    ("warmup.skip", {"warmup": {"skip": True}}),
    ("reinforce.numGenerations", {"reinforce": {"numGenerations": 4}}),
    ("reinforce.maxCompletionLength", {"reinforce": {"maxCompletionLength": 64}}),
    ("rewards", {"rewards": [{"name": "other", "builtin": "correctness"}]}),
]
PLACE = [
    ("data.controlTokens", {"data": {"controlTokens": "drop"}}),
    ("inference", {"inference": {"enforceEager": True}}),
    ("parallelism", {"parallelism": {"gpusPerNode": 2}}),
    ("queue", {"queue": {"name": "team"}}),
    ("pod", {"pod": {"labels": {"a": "b"}}}),
    ("storage.cacheClaim", {"storage": {"cacheClaim": "caches"}}),
]
COURSE = [
    ("warmup.epochs", {"warmup": {"epochs": 2}}),
    ("reinforce.steps", {"reinforce": {"steps": 10}}),
    ("reinforce.learningRate", {"reinforce": {"learningRate": 1e-4}}),
    ("evaluation", {"evaluation": {"samples": 1}}),
    ("export", {"export": {"formats": ["merged16bit"]}}),
    ("guards.learningSignal", {"guards": {"learningSignal": {"action": "warn"}}}),
    ("checkpoint", {"checkpoint": {"everySteps": 5}}),
]
START_OVER = {"checkpoint": {"onSpecChange": "startOver"}}


def said_of(field: str, when: str) -> str:
    """Return what the table of changes says to a change of a field at work, of a trained model, or of a job done."""
    nature = next(each.nature for each in settled(Spec) if each.path == field)
    manner = MANNERS[nature.changes]
    text = {"at work": manner.at_work, "trained": manner.trained, "done": SUCCEEDED}[when]
    assert text
    return text.format(field=field)


def set_trained(kubectl: Kubectl, name: str) -> None:
    patch = json.dumps({"status": {"training": {"loss": 1.0}}})
    assert kubectl("patch", "rtj", name, "--subresource=status", "--type=merge", "-p", patch).returncode == 0


@pytest.mark.parametrize("phase", ["Starting", "Running"])
def test_only_how_a_run_goes_on_may_change_while_it_is_at_work(kubectl: Kubectl, job: str, phase: str) -> None:
    set_phase(kubectl, job, phase)
    for field, patch in [*LEARNED, *PLACE]:
        assert said_of(field, "at work") in change(kubectl, job, patch), field
    for field, patch in COURSE:
        assert change(kubectl, job, patch) == "", field
    assert change(kubectl, job, {"suspend": True, "limits": {"maxAttempts": 5}, "storage": {"retain": False}}) == ""


def test_what_has_succeeded_stands(kubectl: Kubectl, job: str) -> None:
    set_phase(kubectl, job, "Succeeded")
    for field, patch in [*LEARNED, *PLACE, *COURSE]:
        assert said_of(field, "done") in change(kubectl, job, patch), field
    assert change(kubectl, job, {"suspend": True, "limits": {"maxAttempts": 5}, "storage": {"retain": False}}) == ""


@pytest.mark.parametrize("phase", ["Pending", "Preflight", "Suspended", "Failed"])
def test_all_may_change_while_nothing_is_trained_and_no_pod_runs(kubectl: Kubectl, job: str, phase: str) -> None:
    set_phase(kubectl, job, phase)
    for field, patch in [*LEARNED, *PLACE, *COURSE]:
        assert change(kubectl, job, patch) == "", field


@pytest.mark.parametrize("phase", ["Suspended", "Failed"])
def test_what_is_trained_is_thrown_away_only_if_that_is_said(kubectl: Kubectl, job: str, phase: str) -> None:
    set_trained(kubectl, job)
    set_phase(kubectl, job, phase)
    for field, patch in LEARNED:
        assert said_of(field, "trained") in change(kubectl, job, patch), field
    for field, patch in [*PLACE, *COURSE]:
        assert change(kubectl, job, patch) == "", field
    for field, patch in LEARNED:
        assert change(kubectl, job, patch | START_OVER) == "", field


@pytest.mark.parametrize(
    "patch",
    [{"size": "30Gi"}, {"existingClaim": "mine"}, {"storageClassName": "fast"}],
    ids=lambda patch: next(iter(patch)),
)
def test_claim_stands_still_once_it_is_made(kubectl: Kubectl, job: str, patch: dict[str, Any]) -> None:
    set_phase(kubectl, job, "Pending")
    assert "spec.storage cannot change once the claim is made" in change(kubectl, job, {"storage": patch})
