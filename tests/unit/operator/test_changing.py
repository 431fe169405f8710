"""What a changed spec makes of a job at work, and how a failed job starts again."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from tests.unit.operator.objects import (
    NOW,
    SETTINGS,
    batch_job,
    ended_pod,
    live,
    rtj,
    running_pod,
    training_job,
)

from reasoning_operator.acceptance import accept
from reasoning_operator.announcements import announcements
from reasoning_operator.children import config, network_policy, volume
from reasoning_operator.children import training_job as batch
from reasoning_operator.model import Json, Observed
from reasoning_operator.plan import Plan, plan
from reasoning_operator.status import as_json, status

RETRY = "reasoning-operator.io/retry"
RUNNING = {
    "phase": "Running",
    "startTime": "2026-01-01T00:00:00Z",
    "learningRates": {"reinforce": {"value": 2e-5, "reason": "by the model's size"}},
}
FAILED = {
    "phase": "Failed",
    "startTime": "2026-01-01T00:00:00Z",
    "completionTime": "2026-01-01T01:00:00Z",
    "attempts": 2,
    "failure": {"reason": "DatasetColumnMissing", "message": "no column", "hint": "name it", "final": True},
}
FASTER = {"reinforce": {"learningRate": 1e-4}}


def at_work(old: Json, now: dict[str, Any], made_with: dict[str, Any] | None = None) -> Observed:
    """Return a job whose pod was made with one spec, and that has another now."""
    job = training_job(**(made_with or {}))
    return Observed(
        job=rtj(old, **now),
        batch_job=batch_job(batch.build(job, SETTINGS)),
        claim=live(volume.build(job)),
        config_map=live(config.build(job)),
        network_policy=live(network_policy.build(job, SETTINGS)),
        pods=(running_pod(),),
    )


def decide(observed: Observed) -> Plan:
    return plan(observed, accept(observed, SETTINGS), SETTINGS, NOW)


def told(observed: Observed) -> Json:
    return as_json(status(observed, accept(observed, SETTINGS), SETTINGS, NOW))


def applied(document: Json) -> tuple[str, str, str]:
    found = next(each for each in document["conditions"] if each["type"] == "SpecApplied")
    return found["status"], found["reason"], found["message"]


@pytest.mark.parametrize("phase", ["Starting", "Running"])
def test_pod_at_work_is_started_anew_for_another_rate(phase: str) -> None:
    observed = at_work(RUNNING | {"phase": phase}, FASTER)
    made = decide(observed)
    assert [each["kind"] for each in made.delete] == ["Job"]
    assert (made.create, made.patch) == ((), ()), "the ConfigMap stays until the pod is gone"
    assert applied(told(observed)) == ("False", "Applying", "reinforce.learningRate: 2e-05 -> 0.0001")


def test_field_that_was_not_set_is_shown_with_the_algorithms_own_value() -> None:
    observed = at_work(RUNNING, {"reinforce": {"epsilonHigh": 0.3}})
    assert applied(told(observed))[2] == "reinforce.epsilonHigh: 0.2 -> 0.3"


def test_change_is_told_as_applied_once_a_job_is_made_with_it() -> None:
    before = at_work(RUNNING, FASTER)
    old = told(before)
    after = at_work(old, FASTER, FASTER)
    assert applied(told(after)) == ("True", "Applied", "reinforce.learningRate: 2e-05 -> 0.0001")
    said = announcements(before.status, status(before, accept(before, SETTINGS), SETTINGS, NOW))
    said += announcements(after.status, status(after, accept(after, SETTINGS), SETTINGS, NOW))
    assert [each.reason for each in said if "0.0001" in each.message] == ["SpecApplying", "SpecApplied"]


def test_limits_disturb_no_pod() -> None:
    observed = at_work(RUNNING, {"limits": {"maxAttempts": 7}})
    assert decide(observed).delete == ()
    assert not [each for each in told(observed)["conditions"] if each["type"] == "SpecApplied"]


def test_another_version_of_the_operator_disturbs_no_pod() -> None:
    """Its template is another and so is what it makes of the spec, but nobody changed the spec."""
    observed = at_work(RUNNING, {})
    made_by_another = copy.deepcopy(observed.config_map)
    assert made_by_another
    assert observed.batch_job
    document = json.loads(made_by_another["data"]["job.json"])
    document["choice"]["reason"] = "as an earlier version says it"
    made_by_another["data"]["job.json"] = json.dumps(document)
    annotations = {
        "reasoning-operator.io/template-hash": "another",
        "reasoning-operator.io/spec-hash": config.hash_of(made_by_another),
    }
    job = copy.deepcopy(observed.batch_job)
    job["metadata"]["annotations"] |= annotations
    observed = Observed(**(vars(observed) | {"config_map": made_by_another, "batch_job": job}))
    assert decide(observed).delete == ()


def test_administrators_other_default_disturbs_no_pod() -> None:
    observed = at_work(RUNNING, {"evaluation": {"everySteps": 7}})
    asked = copy.deepcopy(observed.job["spec"])
    assert decide(observed).delete
    del asked["evaluation"]["everySteps"]
    assert decide(Observed(**(vars(observed) | {"asked": asked}))).delete == ()


def failed(annotations: dict[str, str], **fields: Any) -> Observed:
    job = rtj(FAILED | fields.pop("status", {}))
    job["metadata"]["annotations"] = annotations
    made = batch_job(batch.build(training_job(), SETTINGS), "Failed")
    return Observed(
        **({"job": job, "batch_job": made, "inputs": {}, "claim": live(volume.build(training_job()))} | fields)
    )


def test_failed_job_stands_until_it_is_asked_for() -> None:
    assert decide(failed({})) == Plan()
    assert decide(failed({RETRY: "1"}, status={"retry": "1"})) == Plan(), "this value was heeded"


def test_job_that_failed_goes_before_it_begins_again() -> None:
    observed = failed({RETRY: "1"}, pods=(ended_pod(65, "no column"),))
    assert [each["kind"] for each in decide(observed).delete] == ["Job"]
    assert told(observed)["phase"] == "Failed"
    pods_left = failed({RETRY: "1"}, batch_job=None, pods=(ended_pod(65, "no column"),))
    assert decide(pods_left) == Plan()
    assert told(pods_left)["phase"] == "Failed", "their end would be taken for the new attempt's"


def test_nothing_of_the_failure_is_left_when_it_begins_again() -> None:
    document = told(failed({RETRY: "1"}, batch_job=None))
    assert (document["phase"], document["retry"], document["attempts"]) == ("Starting", "1", 2)
    assert not {"failure", "completionTime"} & document.keys()
    assert "Failed" not in [each["type"] for each in document["conditions"]]


def test_failed_job_that_is_to_rest_is_suspended() -> None:
    observed = failed({RETRY: "1"}, batch_job=None)
    observed.job["spec"]["suspend"] = True
    assert told(observed)["phase"] == "Suspended"


def test_lost_volume_is_not_started_again() -> None:
    document = told(failed({RETRY: "1"}, batch_job=None, claim=None))
    assert (document["phase"], document["failure"]["reason"]) == ("Failed", "ClaimLost")
    assert RETRY not in document["failure"]["hint"]


@pytest.mark.parametrize(("size", "ends"), [("20Gi", "left"), ("5Gi", "left (spec.storage.size asks for 20Gi)")])
def test_claim_that_an_earlier_job_left_is_told_with_its_size(size: str, ends: str) -> None:
    claim = live(volume.build(training_job(storage={"size": size})))
    claim["metadata"]["labels"]["reasoning-operator.io/job-uid"] = "an-earlier-one"
    document = told(Observed(rtj({}), claim=claim, inputs={}))
    accepted = next(each for each in document["conditions"] if each["type"] == "Accepted")
    assert accepted["message"].endswith(f"the claim sums-output of {size} that an earlier job of this name {ends}")
    own = told(Observed(rtj({}), claim=live(volume.build(training_job())), inputs={}))
    assert "earlier" not in str(own["conditions"])
