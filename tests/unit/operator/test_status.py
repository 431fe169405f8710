"""The status that each observation leads to."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from pydantic import ValidationError
from tests.unit.operator.objects import (
    EARLIER,
    SETTINGS,
    batch_job,
    condition,
    ended_pod,
    last_word,
    live,
    pod,
    report,
    rtj,
    running_pod,
    status_of,
    training_job,
)

from reasoning_contract.job_status import Status
from reasoning_contract.problem import Problem
from reasoning_operator.announcements import announcements
from reasoning_operator.apply import to_write
from reasoning_operator.children import training_job as batch
from reasoning_operator.children import volume
from reasoning_operator.model import Json, Observed, read_status


def seen(
    *pods: Json, old: Json | None = None, end: str = "", reason: str = "", progress: Any = None, **parts: Any
) -> Observed:
    job = training_job(**parts)
    made = batch_job(batch.build(job, SETTINGS), end, reason)
    claim = live(volume.build(job))
    return Observed(rtj(old, **parts), batch_job=made, claim=claim, pods=pods, progress=progress or {})


def phase_lags(pod: Json) -> Json:
    """Return a pod whose container has ended before its phase says so."""
    return pod | {"status": pod["status"] | {"phase": "Running"}}


INTERRUPTED = ended_pod(90, last_word(90, "Interrupted", progress=report(25)))
BAD_DATA = ended_pod(65, last_word(65, "DatasetColumnMissing"))
TRANSIENT = ended_pod(80, last_word(80, "Transient"))
PULLING = pod({"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}})
BAD_NAME = pod({"waiting": {"reason": "InvalidImageName", "message": "bad"}})


@pytest.mark.parametrize(
    ("observed", "phase"),
    [
        (Observed(rtj(), inputs={}), "Starting"),
        (seen(), "Starting"),
        (seen(pod()), "Starting"),
        (seen(running_pod()), "Running"),
        (seen(TRANSIENT), "Starting"),
        (seen(INTERRUPTED), "Starting"),
        (seen(TRANSIENT, running_pod("sums-train-b")), "Running"),
        (seen(ended_pod(0)), "Running"),
        (seen(phase_lags(ended_pod(0))), "Running"),
        (seen(ended_pod(0), end="Complete"), "Succeeded"),
        (seen(BAD_DATA), "Running"),
        (seen(BAD_DATA, end="Failed", reason="PodFailurePolicy"), "Failed"),
        (seen(suspend=True), "Suspended"),
        (seen(running_pod(), suspend=True), "Running"),
        (seen(INTERRUPTED, suspend=True), "Suspended"),
        (Observed(rtj(storage={"existingClaim": "no"}), inputs={}), "Pending"),
        (Observed(rtj(queue={"name": "a"}), inputs={}), "Failed"),
        (seen(PULLING, old={"phase": "Starting"}), "Failed"),  # an hour ago
        (seen(BAD_NAME), "Failed"),
        (Observed(rtj({"phase": "Succeeded"})), "Succeeded"),
        (seen(running_pod(), old={"phase": "Failed"}), "Failed"),
    ],
)
def test_phase(observed: Observed, phase: str) -> None:
    assert status_of(observed)["phase"] == phase


@pytest.mark.parametrize(
    ("observed", "reason"),
    [
        (seen(running_pod()), None),
        (seen(INTERRUPTED), None),
        (seen(TRANSIENT), "Transient"),
        (seen(TRANSIENT, pod(name="sums-train-b")), "Transient"),
        (seen(TRANSIENT, running_pod("sums-train-b")), None),
        (seen(BAD_DATA, end="Failed"), "DatasetColumnMissing"),
        (seen(ended_pod(0), end="Complete"), None),
        (Observed(rtj(storage={"existingClaim": "no"}), inputs={}), "ClaimNotFound"),
    ],
)
def test_failure(observed: Observed, reason: str | None) -> None:
    assert status_of(observed).get("failure", {}).get("reason") == reason


def test_long_log_keeps_its_end() -> None:
    failure = status_of(seen(ended_pod(1, "x" * 4000 + "the error")))["failure"]
    assert failure["message"].endswith("the error")
    assert len(failure["message"]) < 2000


def test_report_of_the_running_pod_is_taken_over() -> None:
    told = report(step=7, training={"reward": 0.5}, gpuSeconds=1800)
    status = status_of(seen(running_pod(), progress={"uid-of-sums-train-a": told}))
    assert (status["stage"], status["progress"]["eta"]) == ("reinforce", "9s")
    assert (status["training"], status["gpuHours"]) == ({"reward": 0.5}, 0.5)


def test_choice_is_shown_as_the_trainer_reports_it() -> None:
    reason = "in 16 bits it takes 31.2 of 79.6 GiB by estimate, and its steps are faster than unsloth's"
    loaded = {"backend": "transformers", "loadIn": "16bit", "engine": "vllm", "reason": reason}
    told = report(step=7, model=loaded)
    observed = seen(running_pod(), progress={"uid-of-sums-train-a": told})
    observed.job["spec"]["parallelism"]["gpusPerNode"] = 1
    observed.job["spec"]["backend"] = "auto"
    assert status_of(observed)["model"]["reason"] == reason


def test_last_word_counts_more_than_what_was_polled_before() -> None:
    ended = ended_pod(0, last_word(0, "Completed", progress=report(100)))
    status = status_of(seen(ended, end="Complete", progress={"uid-of-sums-train-a": report(80)}))
    assert status["progress"]["step"] == 100
    assert (status["progress"]["percent"], status.get("stage")) == (100, None)


def test_what_was_known_stays_when_the_pod_is_gone() -> None:
    old = status_of(seen(running_pod(), progress={"uid-of-sums-train-a": report(7, training={"reward": 0.5})}))
    status = status_of(seen(old=old))
    assert status["progress"]["step"] == 7
    assert status["training"] == {"reward": 0.5}
    assert "eta" not in status["progress"]
    assert status["startTime"] == EARLIER


def test_attempts_are_counted_by_the_volume_and_never_go_back() -> None:
    second = report(attempt=2, resumedFromStep=25)
    status = status_of(seen(running_pod(), progress={"uid-of-sums-train-a": second}))
    assert (status["attempts"], status["resumedFromStep"]) == (2, 25)
    assert status_of(seen(running_pod(), old=status))["attempts"] == 2
    assert status_of(seen(TRANSIENT, running_pod("sums-train-b")))["attempts"] == 2


def test_unchanged_world_gives_an_unchanged_status() -> None:
    for observed in (seen(), seen(running_pod()), seen(TRANSIENT), seen(BAD_DATA, end="Failed"), seen(suspend=True)):
        status = status_of(observed)
        again = Observed(**(vars(observed) | {"job": observed.job | {"status": status}}))
        assert status_of(again) == status


def test_transition_time_moves_with_the_status_only() -> None:
    since = "2026-01-01T00:00:00Z"
    old_condition = {"type": "Running", "status": "False", "reason": "Old", "lastTransitionTime": since}
    old = {"phase": "Starting", "conditions": [old_condition]}
    assert condition(status_of(seen(old=old)), "Running")["lastTransitionTime"] == since
    assert condition(status_of(seen(running_pod(), old=old)), "Running")["lastTransitionTime"] != since


def test_learning_signal_becomes_a_condition() -> None:
    told = report(learningSignal={"ok": False, "message": "all rewards are equal"})
    status = status_of(seen(running_pod(), progress={"uid-of-sums-train-a": told}))
    assert condition(status, "LearningSignal")["status"] == "False"
    silent = status_of(seen(old=status))
    assert condition(silent, "LearningSignal")["message"] == "all rewards are equal"


def test_each_guard_becomes_a_condition_and_nothing_else_does() -> None:
    verdicts = [
        {"condition": "KLBounded", "ok": True, "reason": "WithinBounds", "message": "0.1 nats"},
        {"condition": "RewardsAgree", "ok": False, "reason": "RewardHacking", "message": "60% were right, then 30%"},
        {"condition": "Accepted", "ok": False, "reason": "Forged", "message": "not the trainer's to tell"},
    ]
    told = report(guards=verdicts)
    status = status_of(seen(running_pod(), progress={"uid-of-sums-train-a": told}))
    assert condition(status, "KLBounded")["status"] == "True"
    hacked = condition(status, "RewardsAgree")
    assert (hacked["status"], hacked["reason"]) == ("False", "RewardHacking")
    assert hacked["message"] == "60% were right, then 30%"
    assert [each["reason"] for each in status["conditions"] if each["type"] == "Accepted"] == ["Valid"]


def test_finished_job_says_when_and_what() -> None:
    status = status_of(seen(BAD_DATA, end="Failed"))
    assert status["completionTime"] == EARLIER
    assert condition(status, "Failed")["reason"] == "DatasetColumnMissing"
    again = "start it again in its folder: kubectl annotate rtj sums --overwrite reasoning-operator.io/retry=1"
    assert condition(status, "Failed")["message"] == f"it ended; do this; then {again}"


def test_status_of_another_version_is_read() -> None:
    memory = {"peakGiB": 1.0, "limitGiB": 2.0, "fieldOfTheFuture": 1}
    checkpoint = {"stage": "reinforce", "step": 3}  # without its path
    status = read_status(
        rtj({"phase": "Running", "fieldOfTheFuture": 1, "memory": memory, "lastCheckpoint": checkpoint})
    )
    assert status.phase == "Running"
    assert status.memory
    assert status.memory.peak_gi_b == 1.0
    assert status.last_checkpoint is None


def test_phase_of_another_version_is_not_taken_for_none() -> None:
    with pytest.raises(ValidationError, match="phase"):
        read_status(rtj({"phase": "Abandoned"}))


def test_finished_job_keeps_what_another_version_said_of_it() -> None:
    old = {"phase": "Succeeded", "observedGeneration": 1, "conditions": [], "fieldOfTheFuture": 1}
    job = rtj(old | {"memory": {"peakGiB": 1.0, "limitGiB": 2.0, "fieldOfTheFuture": 1}})
    assert to_write(job, read_status(job)) is None


def _refused_by_this_version(*pods: Json, **fields: Any) -> Observed:
    """Return a job that an earlier version started and this one would not."""
    observed = seen(*pods, **fields)
    observed.job["spec"]["lora"]["rank"] = -1
    return observed


@pytest.mark.parametrize(
    ("observed", "phase", "reason"),
    [
        (_refused_by_this_version(running_pod()), "Running", None),
        (_refused_by_this_version(ended_pod(0), end="Complete"), "Succeeded", None),
        (_refused_by_this_version(BAD_DATA, end="Failed"), "Failed", "DatasetColumnMissing"),
        (_refused_by_this_version(ended_pod(137, reason="OOMKilled"), end="Failed"), "Failed", "OutOfMemory"),
        (Observed(_refused_by_this_version().job, inputs={}), "Failed", "SpecInvalid"),
    ],
)
def test_run_that_has_begun_outlives_an_operator_that_would_not_start_it(
    observed: Observed, phase: str, reason: str | None
) -> None:
    status = status_of(observed)
    assert (status["phase"], status.get("failure", {}).get("reason")) == (phase, reason)
    assert condition(status, "Accepted")["reason"] == "SpecInvalid"


def _announced(before: Json, after: Json) -> list[tuple[str, str]]:
    pair = Status.model_validate(before), Status.model_validate(after)
    return [(each.type, each.reason) for each in announcements(*pair)]


def test_events_of_a_run() -> None:
    start, run = status_of(seen()), status_of(seen(running_pod()))
    assert _announced({}, start) == [("Normal", "Starting")]
    assert _announced(start, run) == [("Normal", "AttemptStarted")]
    assert _announced(run, run) == []
    step, next_step = (
        status_of(seen(running_pod(), old=run, progress={"uid-of-sums-train-a": report(step)})) for step in (7, 8)
    )
    assert _announced(run, step) == [("Normal", "Stage")]
    assert _announced(step, next_step) == [], "steps make no events"


def test_where_an_attempt_goes_on_is_told_with_its_stage() -> None:
    before = status_of(seen(running_pod()))
    resumed = report(attempt=2, resumedFromStep=25, resumedFromStage="warmup")
    after = status_of(seen(running_pod(), old=before, progress={"uid-of-sums-train-a": resumed}))
    told = announcements(Status.model_validate(before), Status.model_validate(after))
    assert "attempt 2 goes on from step 25 of warmup" in [each.message for each in told]


def test_events_of_a_failure_come_once_for_each_pod() -> None:
    waiting = status_of(seen(TRANSIENT))
    assert _announced(status_of(seen(running_pod())), waiting) == [("Normal", "Starting"), ("Warning", "Transient")]
    assert _announced(waiting, waiting) == []


def test_job_on_a_gpu_is_told_where_its_data_is_checked() -> None:
    off = {"guards": {"preflight": {"enabled": False}}}
    told = [
        condition(status_of(seen(parallelism={"gpusPerNode": gpus}, **more)), "Accepted")["message"]
        for gpus, more in ((0, {}), (1, {}), (1, off))
    ]
    assert ["checked by a preflight" in message for message in told] == [False, True, False]
    assert ["the GPU is held meanwhile" in message for message in told] == [False, False, True]


def test_commits_of_data_sets_are_shown() -> None:
    told = report(dataRevisions={"data.train": "a" * 40})
    status = status_of(seen(running_pod(), progress={"uid-of-sums-train-a": told}))
    assert status["dataRevisions"] == {"data.train": "a" * 40}


UNHEARD = {"uid-of-sums-train-a": Problem(reason="NotReached", message="nobody answers")}
HEARD = {"uid-of-sums-train-a": report(1)}


def _heard(before: Json, *pods: Json, **fields: Any) -> Json:
    """Return the status of a job that had another one before."""
    return status_of(replace(seen(*pods), job=rtj(before), **fields))


def test_running_pod_that_is_not_heard_is_told_of_until_it_is() -> None:
    assert condition(status_of(seen(running_pod())), "Reporting") == {}
    silent = status_of(replace(seen(running_pod()), silent=UNHEARD))
    told = condition(silent, "Reporting")
    assert (silent["phase"], told["status"], told["reason"]) == ("Running", "False", "NotReached")
    assert told["message"] == "the training pod runs, but nobody answers"
    assert ("Warning", "NotReached") in _announced({}, silent)
    assert _announced(silent, silent) == []
    after_a_restart = _heard(silent, running_pod())  # of the operator, which has not asked long enough yet
    assert condition(after_a_restart, "Reporting") == told
    again = _heard(after_a_restart, running_pod(), silent=UNHEARD)
    assert _announced(after_a_restart, again) == []
    heard = _heard(silent, running_pod(), progress=HEARD)
    assert condition(heard, "Reporting")["status"] == "True"
    for over in (INTERRUPTED, ended_pod(0)):
        assert condition(_heard(silent, over), "Reporting") == {}
    late = rtj(silent | {"startTime": "2026-05-04T10:00:00Z"}, limits={"activeDeadlineSeconds": 60})
    ended = status_of(replace(seen(running_pod()), job=late, silent=UNHEARD))
    assert ended["phase"] == "Failed"
    assert condition(ended, "Reporting") == {}


@pytest.mark.parametrize(
    ("scores", "says"),
    [
        (({"accuracy": 0.25}, {"accuracy": 0.5}), "held-out accuracy 0.250 before and 0.500 after training"),
        (({"preferred": 0.5}, {"preferred": 0.25}), "held-out pairs preferred 0.500 before and 0.250 after training"),
        (({"accuracy": 0.25}, None), "training is done"),
    ],
)
def test_end_says_what_was_gained(scores: tuple[Json, Json | None], says: str) -> None:
    both = {"format": 1.0, "meanLength": 9.0}
    models = {name: score | both for name, score in zip(("base", "reinforce"), scores, strict=True) if score}
    last = report(25, evaluation={"heldOut": {"size": 4} | models})
    status = status_of(seen(ended_pod(0, last_word(0, "Succeeded", progress=last)), end="Complete"))
    assert condition(status, "Succeeded")["message"] == says


@pytest.mark.parametrize(
    ("suspended", "wanted", "phase", "failure"),
    [
        (True, True, "Suspended", None),
        (False, False, "Starting", "SpecInvalid"),
        (True, False, "Pending", "SpecInvalid"),  # not resumed; made anew when it is corrected
    ],
)
def test_job_that_was_begun_is_not_corrected_in_place(
    suspended: bool, wanted: bool, phase: str, failure: str | None
) -> None:
    """Whose spec may change while it is Pending or Suspended; a Job that is at work would not follow."""
    observed = _refused_by_this_version()
    assert observed.batch_job
    made = observed.batch_job | {"spec": observed.batch_job["spec"] | {"suspend": suspended}}
    job = observed.job | {"spec": observed.job["spec"] | {"suspend": wanted}}
    status = status_of(replace(observed, batch_job=made, job=job))
    assert (status["phase"], status.get("failure", {}).get("reason")) == (phase, failure)
    assert condition(status, "Suspended").get("reason") == ("SuspendedByUser" if wanted else None)
    assert "set spec.suspend to true, correct these fields" in condition(status, "Accepted")["message"]


def test_begun_run_is_not_lost_by_a_bad_edit_while_its_job_is_made_anew() -> None:
    observed = _refused_by_this_version()
    between = replace(observed, batch_job=None, inputs={}, job=observed.job | {"status": {"startTime": EARLIER}})
    status = status_of(between)
    assert (status["phase"], status["failure"]["reason"]) == ("Pending", "SpecInvalid")
    assert "set spec.suspend to true" in status["failure"]["hint"]


def test_container_that_never_started_did_not_start_in_1970() -> None:
    never = {"terminated": {"exitCode": 128, "reason": "StartError", "startedAt": "1970-01-01T00:00:00Z"}}
    assert "startTime" not in status_of(seen(pod(never, phase="Failed")))


def test_lost_claim_is_told_whatever_else_is_refused() -> None:
    observed = _refused_by_this_version()
    lost = replace(observed, claim=None, job=observed.job | {"status": {"startTime": EARLIER}})
    status = status_of(lost)
    assert (status["phase"], status["failure"]["reason"]) == ("Failed", "ClaimLost")
