"""The check before a GPU is asked for: what it holds back, what passes it, and what is told of one that fails."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from tests.unit.operator.objects import (
    NOW,
    SETTINGS,
    UID,
    batch_job,
    condition,
    ended_pod,
    last_word,
    live,
    pod,
    rtj,
    running_pod,
    status_of,
    training_job,
)

from reasoning_contract.finding import Finding
from reasoning_operator.acceptance import accept
from reasoning_operator.children import config, network_policy, preflight, volume
from reasoning_operator.children import training_job as training
from reasoning_operator.model import Json, Observed
from reasoning_operator.plan import Plan, plan

GPU: Json = {"parallelism": {"gpusPerNode": 1}}
FOUND = [
    Finding(level="error", where="data.train", message="no column question", hint="name it in columns"),
    Finding(level="warning", where="reward kept", message="scores everything alike"),
]
NAME = "sums-preflight-a"
PASSED = ended_pod(0, last_word(0, "Checked", findings=FOUND[1:]), name=NAME)
FAILED = ended_pod(65, last_word(65, "DatasetColumnMissing", findings=FOUND), name=NAME)


def seen(*pods: Json, end: str = "", old: Json | None = None, was: Json | None = None, **parts: Any) -> Observed:
    """Return a job before its Job is made, with a preflight that was made for it or for a spec before."""
    job = training_job(**GPU | parts)
    return Observed(
        rtj(old, **GPU | parts),
        preflight=batch_job(preflight.build(training_job(**GPU | (parts if was is None else was)), SETTINGS), end),
        claim=live(volume.build(job)),
        config_map=live(config.build(job)),
        network_policy=live(network_policy.build(job, SETTINGS)),
        preflight_pods=pods,
        inputs={},
    )


def decide(observed: Observed, after: float = 0) -> Plan:
    return plan(observed, accept(observed, SETTINGS), SETTINGS, NOW + timedelta(seconds=after))


def made(observed: Observed) -> list[str]:
    return [child["metadata"]["name"] for child in decide(observed).create if child["kind"] == "Job"]


def with_status(observed: Observed) -> Observed:
    """Return what is observed once its status is written."""
    return replace(observed, job=observed.job | {"status": status_of(observed)})


def test_job_for_a_gpu_is_checked_before_its_job_is_made() -> None:
    assert made(Observed(rtj(**GPU), inputs={})) == ["sums-preflight"]
    assert made(Observed(rtj(), inputs={})) == ["sums-train"]
    assert made(Observed(rtj(**GPU, guards={"preflight": {"enabled": False}}), inputs={})) == ["sums-train"]
    assert made(Observed(rtj(guards={"preflight": {"enabled": True}}), inputs={})) == ["sums-preflight"]


@pytest.mark.parametrize(
    ("observed", "jobs"),
    [
        (seen(), []),
        (seen(running_pod(NAME)), []),
        (seen(FAILED, end="Failed"), []),
        (seen(PASSED, end="Complete"), ["sums-train"]),
        (seen(end="Complete"), ["sums-train"]),
    ],
    ids=["new", "running", "failed", "passed", "passed-and-its-pod-collected"],
)
def test_job_is_made_when_the_preflight_has_passed(observed: Observed, jobs: list[str]) -> None:
    assert made(observed) == jobs
    assert not decide(observed).delete


def test_edit_of_the_spec_checks_it_again() -> None:
    edited = seen(FAILED, end="Failed", was={}, reinforce={"steps": 7})
    todo = decide(edited)
    assert [each["metadata"]["name"] for each in todo.delete] == ["sums-preflight"]
    assert made(edited) == []
    assert made(replace(edited, preflight=None, preflight_pods=())) == ["sums-preflight"]
    passed_before = seen(PASSED, end="Complete", was={}, reinforce={"steps": 7})
    assert made(passed_before) == []


def test_edit_that_leaves_the_spec_of_the_trainer_checks_nothing_again() -> None:
    assert made(seen(PASSED, end="Complete", was={}, limits={"maxAttempts": 7})) == ["sums-train"]


def test_what_passed_is_not_run_again_though_its_job_is_gone() -> None:
    passed = with_status(seen(PASSED, end="Complete"))
    gone = replace(passed, preflight=None, preflight_pods=())
    assert made(gone) == ["sums-train"]
    assert made(replace(gone, job=gone.job | {"spec": rtj(**GPU, reinforce={"steps": 7})["spec"]})) == [
        "sums-preflight"
    ]


def test_what_failed_is_run_again_when_its_job_is_deleted() -> None:
    failed = with_status(seen(FAILED, end="Failed"))
    assert made(replace(failed, preflight=None, preflight_pods=())) == ["sums-preflight"]


def test_job_that_is_made_is_past_the_preflight() -> None:
    job = training_job(**GPU)
    observed = replace(seen(), batch_job=batch_job(training.build(job, SETTINGS)), preflight=None)
    assert decide(observed) == Plan()
    assert status_of(observed)["phase"] == "Starting"


def test_preflight_waits_for_pods_of_a_job_that_was_deleted_by_hand() -> None:
    observed = replace(seen(), preflight=None)
    assert made(replace(observed, pods=(running_pod(),))) == []
    assert made(replace(observed, pods=(ended_pod(90),))) == ["sums-preflight"]


def test_preflight_rests_while_the_job_is_suspended() -> None:
    observed = seen(was={}, suspend=True)
    ((_, patch),) = decide(observed).patch
    assert patch == {"spec": {"suspend": True}}
    assert status_of(observed)["phase"] == "Suspended"


def test_preflight_that_is_not_wanted_any_more_is_deleted() -> None:
    observed = seen(FAILED, end="Failed", was={}, guards={"preflight": {"enabled": False}})
    todo = decide(with_status(observed))
    assert [each["metadata"]["name"] for each in todo.delete] == ["sums-preflight"]
    assert made(observed) == ["sums-train"]
    failed = status_of(seen(FAILED, end="Failed"))
    assert condition(status_of(replace(observed, job=observed.job | {"status": failed})), "PreflightPassed") == {}


def test_name_that_is_taken_is_told() -> None:
    observed = seen()
    assert observed.preflight
    observed.preflight["metadata"]["ownerReferences"][0]["uid"] = f"not-{UID}"
    assert condition(status_of(observed), "Accepted")["reason"] == "NameConflict"


def test_status_while_it_runs() -> None:
    status = status_of(seen(running_pod(NAME)))
    assert (status["phase"], condition(status, "PreflightPassed")["status"]) == ("Preflight", "Unknown")
    assert condition(status, "Running")["message"] == "no GPU is asked for until the preflight has passed"
    assert {"preflight", "failure", "startTime", "attempts"}.isdisjoint(status)


def test_status_of_one_that_failed_tells_what_where_and_how_to_fix_it() -> None:
    status = status_of(seen(FAILED, end="Failed"))
    told = condition(status, "PreflightPassed")
    assert (status["phase"], told["status"], told["reason"]) == ("Preflight", "False", "DatasetColumnMissing")
    assert told["message"].startswith("data.train: no column question (name it in columns)")
    assert status["preflight"]["findings"] == [each.model_dump() for each in FOUND]
    failure = status["failure"]
    assert (failure["reason"], failure["exitCode"], failure["pod"]) == ("DatasetColumnMissing", 65, NAME)
    assert "kubectl delete job sums-preflight" in failure["hint"]


def test_status_of_one_that_passed_keeps_its_warnings() -> None:
    passed = with_status(seen(PASSED, end="Complete"))
    status = passed.job["status"]
    told = condition(status, "PreflightPassed")
    assert (status["phase"], told["status"]) == ("Starting", "True")
    assert told["message"] == "reward kept: scores everything alike"
    started = replace(passed, batch_job=batch_job(training.build(training_job(**GPU), SETTINGS)), preflight=None)
    later = status_of(replace(started, preflight_pods=(), pods=(running_pod(),)))
    assert later["preflight"] == status["preflight"]
    assert condition(later, "PreflightPassed") == told


@pytest.mark.parametrize(
    ("pods", "reason"),
    [
        ((pod({"waiting": {"reason": "InvalidImageName", "message": "bad"}}, name=NAME),), "ImagePullFailed"),
        ((ended_pod(137, reason="OOMKilled", name=NAME),), "OutOfMemory"),
        ((ended_pod(80, last_word(80, "HubUnreachable"), name=NAME),), "HubUnreachable"),
    ],
)
def test_what_keeps_it_from_passing_is_told_and_nothing_is_final(pods: tuple[Json, ...], reason: str) -> None:
    status = status_of(seen(*pods))
    assert (status["phase"], status["failure"]["reason"], status["failure"]["pod"]) == ("Preflight", reason, NAME)


def test_one_that_failed_and_whose_pod_is_gone_still_says_so() -> None:
    status = status_of(seen(end="Failed"))
    assert condition(status, "PreflightPassed")["status"] == "False"
    assert "kubectl delete job sums-preflight" in status["failure"]["hint"]
