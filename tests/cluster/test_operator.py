"""The operator against a real API server with its controllers: the whole life of a job, and what goes wrong in it."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cluster.operator_under_test import (
    CLAIM,
    CONFIG_MAP,
    JOB,
    POD,
    POLICY,
    RTJ,
    Api,
    FakeKubelet,
    FakeTrainer,
    Json,
    Operator,
    install_crd,
    manifest,
    report,
    running,
)
from tests.polling import eventually

from reasoning_contract.exit_codes import ExitCode
from reasoning_contract.finding import Finding
from reasoning_contract.outcome import Outcome
from reasoning_contract.spec.changing import retry_hint


@pytest.fixture(scope="module")
def operator(api_server: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operator]:
    install_crd(api_server)
    with running(Operator(api_server, tmp_path_factory.mktemp("operator") / "log")) as operator:
        yield operator
    assert not operator.broken()


@pytest.fixture
def api(api_server: Path, operator: Operator, request: pytest.FixtureRequest) -> Iterator[Api]:
    """A namespace of this test's own, with the operator running."""
    install_crd(api_server)
    name = f"{request.node.originalname.replace('_', '-')[:50]}-{uuid.uuid4().hex[:6]}"
    cluster = Api(api_server, "default")
    cluster.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    yield Api(api_server, name)
    cluster.delete(("v1", "Namespace"), name)


@pytest.fixture
def kubelet(api: Api) -> FakeKubelet:
    return FakeKubelet(api)


def condition(status: Json, kind: str) -> Json:
    return next((each for each in status.get("conditions", []) if each["type"] == kind), {})


def job_document(api: Api, name: str) -> Json:
    config_map = api.get(CONFIG_MAP, f"{name}-spec")
    assert config_map
    document: Json = json.loads(config_map["data"]["job.json"])
    return document


def job_spec(api: Api, name: str) -> Json:
    spec: Json = job_document(api, name)["spec"]
    return spec


def test_life_of_a_job(api: Api, kubelet: FakeKubelet) -> None:
    api.create(manifest("life"))
    pod = api.pod("life")
    status = api.wait_for_phase("life", "Starting")
    assert status["storage"]["claimName"] == "life-output"
    assert condition(status, "Accepted")["status"] == "True"
    assert job_document(api, "life")["choice"]["backend"] == "transformers", "what auto means is decided"
    trainer = FakeTrainer("127.0.7.1")
    try:
        kubelet.run(pod, trainer.address)
        api.wait_for_phase("life", "Running")
        trainer.document = report(step=42, training={"reward": 0.5})
        eventually(lambda: api.status("life").get("progress", {}).get("step") == 42, "the step in the status")
        assert api.status("life")["training"]["reward"] == 0.5
    finally:
        trainer.close()
    last = report(step=100, artifacts=[{"kind": "lora", "path": "adapter", "sha256": "0" * 64, "bytes": 5}])
    kubelet.say(pod, Outcome(exit_code=0, reason="Completed", message="done", progress=last))
    status = api.wait_for_phase("life", "Succeeded")
    assert status["artifacts"][0]["kind"] == "lora"
    assert status["progress"]["display"] == "100%"
    assert (status["attempts"], status["startTime"] <= status["completionTime"]) == (1, True)
    assert condition(status, "Succeeded")["status"] == "True"
    assert "failure" not in status


def test_gpu_is_asked_for_only_when_the_preflight_has_passed(api: Api, kubelet: FakeKubelet) -> None:
    api.create(manifest("checked", parallelism={"gpusPerNode": 1}))
    first = api.pod("checked")
    assert first["metadata"]["labels"]["job-name"] == "checked-preflight"
    assert "nvidia.com/gpu" not in first["spec"]["containers"][0]["resources"].get("limits", {})
    kubelet.run(first)
    api.wait_for_phase("checked", "Preflight")
    finding = Finding(level="error", where="data.train", message="no column question", hint="name it in columns")
    said = {"reason": "DatasetColumnMissing", "message": finding.message, "hint": finding.hint, "findings": [finding]}
    kubelet.say(first, Outcome.model_validate({"exitCode": ExitCode.DATA_INVALID} | said))

    def passed(state: str) -> Json | None:
        found = condition(api.status("checked"), "PreflightPassed")
        return found if found.get("status") == state else None

    told = eventually(lambda: passed("False"), "the verdict of the preflight")
    assert told["message"] == "data.train: no column question (name it in columns)"
    status = api.status("checked")
    assert (status["phase"], status["failure"]["reason"]) == ("Preflight", "DatasetColumnMissing")
    assert api.get(JOB, "checked-train") is None, "what failed holds no GPU"

    api.patch(RTJ, "checked", {"spec": {"reinforce": {"steps": 7}}})
    second = api.pod("checked")
    assert second["metadata"]["labels"]["job-name"] == "checked-preflight"
    assert api.get(JOB, "checked-train") is None
    assert job_spec(api, "checked")["reinforce"]["steps"] == 7, "what is checked is the spec as mended"
    kubelet.say(second, Outcome(exit_code=ExitCode.DONE, reason="Checked", message="it can be started"))
    eventually(lambda: passed("True"), "the verdict of the second preflight")
    trainer = api.pod("checked")
    assert trainer["metadata"]["labels"]["job-name"] == "checked-train"
    assert trainer["spec"]["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] == "1"
    kubelet.run(trainer)
    status = api.wait_for_phase("checked", "Running")
    assert (status["attempts"], condition(status, "PreflightPassed")["status"]) == (1, "True")
    assert api.get(JOB, "checked-preflight"), "its log is kept with the job"


def test_events_tell_the_story_once(api: Api, kubelet: FakeKubelet) -> None:
    api.create(manifest("story"))
    kubelet.run(pod := api.pod("story"))
    api.wait_for_phase("story", "Running")
    kubelet.end(pod, 0)
    api.wait_for_phase("story", "Succeeded")

    def reasons() -> list[str]:
        events = api.list(("v1", "Event"))
        return [each["reason"] for each in events if each["involvedObject"]["kind"] == "ReasoningTrainingJob"]

    eventually(lambda: "Succeeded" in reasons(), "the last event")
    assert sorted(reasons()) == ["AttemptStarted", "Starting", "Succeeded"]


def test_suspend_and_resume(api: Api, kubelet: FakeKubelet) -> None:
    api.create(manifest("pause"))
    kubelet.run(api.pod("pause"))
    api.wait_for_phase("pause", "Running")
    api.patch(RTJ, "pause", {"spec": {"suspend": True}})
    status = api.wait_for_phase("pause", "Suspended")
    assert condition(status, "Suspended")["status"] == "True"
    assert not api.list(POD, "reasoning-operator.io/job=pause")
    api.patch(RTJ, "pause", {"spec": {"suspend": False}})
    kubelet.run(api.pod("pause"))
    status = api.wait_for_phase("pause", "Running")
    assert condition(status, "Suspended")["reason"] == "Resumed"


def test_recipe_and_image_may_change_while_suspended(api: Api, kubelet: FakeKubelet) -> None:
    api.create(manifest("change", suspend=True))
    api.wait_for_phase("change", "Suspended")
    before = eventually(lambda: api.get(JOB, "change-train"), "the Job")
    api.patch(RTJ, "change", {"spec": {"lora": {"rank": 4}, "pod": {"image": "mine:2"}}})

    def made_anew() -> bool:
        job = api.get(JOB, "change-train")
        return bool(job) and job["metadata"]["uid"] != before["metadata"]["uid"]  # type: ignore[index]

    eventually(made_anew, "a Job with the new image")
    api.patch(RTJ, "change", {"spec": {"suspend": False}})
    pod = api.pod("change")
    assert pod["spec"]["containers"][0]["image"] == "mine:2"
    assert job_spec(api, "change")["lora"]["rank"] == 4


def test_changed_rate_is_taken_over_in_mid_run_at_no_cost(api: Api, kubelet: FakeKubelet) -> None:
    api.create(manifest("rate", limits={"maxAttempts": 1}))
    first = api.pod("rate")
    kubelet.run(first)
    api.wait_for_phase("rate", "Running")
    before = api.get(JOB, "rate-train")
    api.patch(RTJ, "rate", {"spec": {"reinforce": {"learningRate": 1e-4}}})

    def applied(state: str) -> Json | None:
        found = condition(api.status("rate"), "SpecApplied")
        return found if found.get("status") == state else None

    second = eventually(
        lambda: pod if (pod := api.pod("rate"))["metadata"]["uid"] != first["metadata"]["uid"] else None,
        "a pod with the new rate",
    )
    assert job_spec(api, "rate")["reinforce"]["learningRate"] == 1e-4
    after = api.get(JOB, "rate-train")
    assert before
    assert after
    assert after["metadata"]["uid"] != before["metadata"]["uid"]
    assert after["spec"]["backoffLimit"] == 0, "and it has all its attempts"
    told = eventually(lambda: applied("True"), "the change in the status")
    assert (told["reason"], told["message"]) == ("Applied", "reinforce.learningRate: not set -> 0.0001")
    kubelet.run(second)
    assert "failure" not in api.wait_for_phase("rate", "Running")

    def events() -> set[str]:
        of_job = [each for each in api.list(("v1", "Event")) if each["involvedObject"]["kind"] == RTJ[1]]
        return {each["reason"] for each in of_job if "not set -> 0.0001" in (each.get("message") or "")}

    eventually(lambda: events() == {"SpecApplying", "SpecApplied"}, "the events that say what changed")


def test_failed_job_is_mended_and_starts_again_on_the_same_object(api: Api, kubelet: FakeKubelet) -> None:
    api.create(manifest("mended"))
    pod = api.pod("mended")
    kubelet.run(pod)
    api.wait_for_phase("mended", "Running")
    word = Outcome(exit_code=65, reason="DatasetColumnMissing", message="no column answer", hint="name it")
    kubelet.say(pod, word)
    status = api.wait_for_phase("mended", "Failed")
    retry = "reasoning-operator.io/retry"
    assert f"kubectl annotate rtj mended --overwrite {retry}=1" in status["failure"]["hint"]
    api.patch(RTJ, "mended", {"spec": {"data": {"train": {"limit": 10}}}})
    api.patch(RTJ, "mended", {"metadata": {"annotations": {retry: "1"}}})
    again = api.pod("mended")
    assert job_spec(api, "mended")["data"]["train"]["limit"] == 10
    kubelet.run(again)
    status = api.wait_for_phase("mended", "Running")
    assert (status["retry"], "failure" in status, "completionTime" in status) == ("1", False, False)
    assert condition(status, "Failed") == {}
    kubelet.say(again, Outcome(exit_code=65, reason="DatasetColumnMissing", message="still none", hint="name it"))
    status = api.wait_for_phase("mended", "Failed")
    assert f"{retry}=2" in status["failure"]["hint"], "the value that was heeded starts nothing again"


def test_restart_in_the_middle_of_a_run_makes_nothing_twice(api: Api, operator: Operator, kubelet: FakeKubelet) -> None:
    api.create(manifest("restart"))
    pod = api.pod("restart")
    kubelet.run(pod)
    api.wait_for_phase("restart", "Running")
    kinds = {JOB: "restart-train", CLAIM: "restart-output", CONFIG_MAP: "restart-spec", POLICY: "restart-train"}
    before = {kind: api.get(kind, name) for kind, name in kinds.items()}
    assert operator.stop() == 0
    kubelet.say(pod, Outcome(exit_code=80, reason="Transient", message="the disk hiccuped", progress=report(step=7)))
    operator.start()
    eventually(
        lambda: api.status("restart").get("progress", {}).get("step") == 7, "what was said while nobody listened"
    )
    successor = api.pod("restart")
    kubelet.run(successor)
    status = api.wait_for_phase("restart", "Running")
    assert status["attempts"] == 2
    assert "failure" not in status
    after = {kind: api.get(kind, name) for kind, name in kinds.items()}
    assert [each and each["metadata"]["uid"] for each in before.values()] == [
        each and each["metadata"]["uid"] for each in after.values()
    ]


def test_nothing_is_written_when_nothing_changed(api: Api, operator: Operator, kubelet: FakeKubelet) -> None:
    api.create(manifest("still"))
    kubelet.run(pod := api.pod("still"))
    api.wait_for_phase("still", "Running")
    kubelet.end(pod, 0)
    api.wait_for_phase("still", "Succeeded")
    names = ((RTJ, "still"), (JOB, "still-train"), (CLAIM, "still-output"), (CONFIG_MAP, "still-spec"))

    def versions() -> list[str]:
        return [thing["metadata"]["resourceVersion"] for kind, name in names if (thing := api.get(kind, name))]

    before = versions()
    operator.stop()
    operator.start()
    api.create(manifest("sentinel"))
    api.wait_for_phase("sentinel", "Starting")
    assert versions() == before


def test_interruption_costs_no_attempt_and_resumes(api: Api, kubelet: FakeKubelet) -> None:
    api.create(manifest("preempted", limits={"maxAttempts": 1}))
    first = api.pod("preempted")
    kubelet.run(first)
    api.wait_for_phase("preempted", "Running")
    word = Outcome(
        exit_code=ExitCode.INTERRUPTED, reason="Interrupted", message="checkpoint saved", progress=report(25)
    )
    kubelet.say(first, word)
    second = api.pod("preempted")
    assert second["metadata"]["uid"] != first["metadata"]["uid"]
    kubelet.run(second)
    api.wait_for_phase("preempted", "Running")
    done = report(100, attempt=2, resumedFromStep=25)
    kubelet.say(second, Outcome(exit_code=0, reason="Completed", message="done", progress=done))
    status = api.wait_for_phase("preempted", "Succeeded")
    assert (status["attempts"], status["resumedFromStep"]) == (2, 25)


def test_users_fault_is_not_retried(api: Api, kubelet: FakeKubelet) -> None:
    api.create(manifest("bad-data"))
    pod = api.pod("bad-data")
    kubelet.run(pod)
    word = Outcome(
        exit_code=65, reason="DatasetColumnMissing", message="no column answer", hint="name it in data.train"
    )
    kubelet.say(pod, word)
    failure = api.wait_for_phase("bad-data", "Failed")["failure"]
    assert failure == {
        "reason": "DatasetColumnMissing",
        "message": "no column answer",
        "hint": f"name it in data.train; then {retry_hint('bad-data', None)}",
        "exitCode": 65,
        "pod": pod["metadata"]["name"],
    }


def test_out_of_memory_names_the_limit(api: Api, kubelet: FakeKubelet) -> None:
    api.create(manifest("big", limits={"maxAttempts": 1}, pod={"resources": {"limits": {"memory": "2Gi"}}}))
    kubelet.run(pod := api.pod("big"))
    kubelet.end(pod, 137, reason="OOMKilled")
    failure = api.wait_for_phase("big", "Failed")["failure"]
    assert failure["reason"] == "OutOfMemory"
    assert "2Gi" in failure["message"]
    assert "spec.pod.resources.limits.memory" in failure["hint"]


def test_image_that_cannot_be_pulled_is_named(api: Api, kubelet: FakeKubelet) -> None:
    api.create(manifest("typo", pod={"image": "no-such-image:1"}))
    kubelet.wait(api.pod("typo"), "ImagePullBackOff", "Back-off pulling image")
    status = eventually(lambda: (s := api.status("typo")).get("failure") and s, "the failure")
    assert status["phase"] == "Starting"
    assert status["failure"]["reason"] == "ImagePullFailed"
    assert "no-such-image:1" in status["failure"]["message"]


def test_pod_that_the_cluster_refuses_is_named(api: Api) -> None:
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "none"}, "spec": {"hard": {"pods": "0"}}}
    api.create(quota)
    eventually(lambda: (api.get(("v1", "ResourceQuota"), "none") or {}).get("status"), "the quota's status")
    api.create(manifest("refused"))
    failure = eventually(lambda: api.status("refused").get("failure"), "the refusal", seconds=45)
    assert failure["reason"] == "PodRefused"
    assert "quota" in failure["message"]


def test_pod_settings_that_kubernetes_refuses_are_named_and_may_be_corrected(api: Api) -> None:
    api.create(manifest("odd", pod={"tolerations": [{"key": "a", "operator": "Nonsense"}]}))
    status = api.wait_for_phase("odd", "Pending")
    assert condition(status, "Accepted")["reason"] == "ChildRefused"
    assert "Nonsense" in status["failure"]["message"]
    api.patch(RTJ, "odd", {"spec": {"pod": {"tolerations": []}}})
    api.wait_for_phase("odd", "Starting")


def test_missing_claim_is_named_and_heals(api: Api) -> None:
    api.create(manifest("waits", storage={"existingClaim": "mine"}))
    status = api.wait_for_phase("waits", "Pending")
    assert condition(status, "Accepted")["reason"] == "ClaimNotFound"
    assert "mine" in status["failure"]["message"]
    assert not api.list(JOB)
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    api.create({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "mine"}, "spec": spec})
    status = api.wait_for_phase("waits", "Starting")
    assert "failure" not in status or status["failure"]["reason"] != "ClaimNotFound"


def test_foreign_object_of_the_same_name_is_not_touched(api: Api) -> None:
    foreign = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "clash-spec"}, "data": {"a": "b"}}
    api.create(foreign)
    api.create(manifest("clash"))
    status = api.wait_for_phase("clash", "Pending")
    assert condition(status, "Accepted")["reason"] == "NameConflict"
    assert "clash-spec" in status["failure"]["message"]
    left = api.get(CONFIG_MAP, "clash-spec")
    assert left
    assert left["data"] == {"a": "b"}
    api.delete(CONFIG_MAP, "clash-spec")
    api.wait_for_phase("clash", "Starting")


def test_what_is_not_supported_is_refused_with_the_field(api: Api) -> None:
    api.create(manifest("later", queue={"name": "team-a"}))
    status = api.wait_for_phase("later", "Failed")
    assert status["failure"]["reason"] == "NotSupported"
    assert "spec.queue" in status["failure"]["message"]
    assert not api.list(JOB)
    assert not api.list(CLAIM)


@pytest.mark.parametrize("retain", [True, False])
def test_volume_stays_or_goes_as_the_spec_says(api: Api, retain: bool) -> None:
    api.create(manifest("gone", storage={"retain": retain}))
    api.pod("gone")
    api.delete(RTJ, "gone")
    eventually(lambda: not api.get(JOB, "gone-train"), "the Job's deletion")
    eventually(lambda: not api.get(CONFIG_MAP, "gone-spec"), "the ConfigMap's deletion")
    if retain:
        claim = api.get(CLAIM, "gone-output")
        assert claim
        assert not claim["metadata"].get("deletionTimestamp")
        eventually(lambda: told_of(api, "gone-output", "ClaimStays"), "the event that the claim stays")
        api.create(manifest("gone"))
        api.wait_for_phase("gone", "Starting")
    else:
        eventually(lambda: not api.get(CLAIM, "gone-output"), "the claim's deletion")
        assert not told_of(api, "gone-output", "ClaimStays")


def told_of(api: Api, name: str, reason: str) -> list[str]:
    """Return what events of a reason say of an object."""
    events = api.list(("v1", "Event"))
    return [each["message"] for each in events if (each["involvedObject"]["name"], each["reason"]) == (name, reason)]


def test_drift_is_repaired(api: Api, kubelet: FakeKubelet) -> None:
    api.create(manifest("drift"))
    kubelet.run(api.pod("drift"))
    api.wait_for_phase("drift", "Running")
    api.patch(CONFIG_MAP, "drift-spec", {"data": {"job.json": "{}"}})
    eventually(lambda: (api.get(CONFIG_MAP, "drift-spec") or {}).get("data", {}).get("job.json") != "{}", "the spec")
    api.delete(POLICY, "drift-train")
    eventually(lambda: api.get(POLICY, "drift-train"), "the policy")
    api.patch(JOB, "drift-train", {"spec": {"backoffLimit": 99}})
    eventually(lambda: (api.get(JOB, "drift-train") or {})["spec"]["backoffLimit"] == 2, "the limit")
    before = api.get(JOB, "drift-train") or {}
    api.delete(JOB, "drift-train")
    after = eventually(lambda: api.get(JOB, "drift-train"), "the Job")
    assert after["metadata"]["uid"] != before["metadata"]["uid"]
    kubelet.run(api.pod("drift"))
    api.wait_for_phase("drift", "Running")


def test_lost_volume_is_reported_and_not_replaced(api: Api, kubelet: FakeKubelet) -> None:
    api.create(manifest("lost"))
    kubelet.run(api.pod("lost"))
    api.wait_for_phase("lost", "Running")
    api.patch(RTJ, "lost", {"spec": {"suspend": True}})
    api.wait_for_phase("lost", "Suspended")
    api.delete(CLAIM, "lost-output")
    status = api.wait_for_phase("lost", "Failed")
    assert status["failure"]["reason"] == "ClaimLost"
    eventually(lambda: not api.get(JOB, "lost-train"), "the end of the Job")
    assert not api.get(CLAIM, "lost-output")


def test_finished_job_is_deleted_after_its_time(api: Api, kubelet: FakeKubelet) -> None:
    api.create(manifest("short", limits={"ttlSecondsAfterFinished": 1}))
    kubelet.run(pod := api.pod("short"))
    kubelet.end(pod, 0)
    eventually(lambda: not api.get(RTJ, "short"), "the deletion")
    eventually(lambda: not api.get(JOB, "short-train"), "the Job's deletion")
    assert api.get(CLAIM, "short-output"), "the volume is kept"


def test_deadline_ends_the_job(api: Api, kubelet: FakeKubelet) -> None:
    api.create(manifest("slow", limits={"activeDeadlineSeconds": 2}))
    kubelet.run(api.pod("slow"))
    status = api.wait_for_phase("slow", "Failed")
    assert status["failure"]["reason"] == "DeadlineExceeded"


def test_hundred_finished_jobs_cost_nothing(api: Api, operator: Operator) -> None:
    operator.stop()
    for number in range(100):
        api.create(manifest(f"old-{number}"))
        done = {
            "phase": "Succeeded",
            "completionTime": "2026-01-01T00:00:00Z",
            "conditions": [],
            "observedGeneration": 1,
        }
        api.patch(RTJ, f"old-{number}", {"status": done}, "status")
    operator.start()

    eventually(lambda: operator.metric("reasoning_operator_jobs") >= 100, "the first look at every job")
    api.create(manifest("fresh"))
    api.wait_for_phase("fresh", "Starting")
    before = operator.requests()
    api.create(manifest("refused", queue={"name": "team-a"}))
    api.wait_for_phase("refused", "Failed")
    after = operator.requests()
    assert after.get("PUT", 0) - before.get("PUT", 0) <= 3, "the statuses of the two new jobs alone"
    assert after["GET"] - before["GET"] < 20, "the finished jobs are not looked at again"
    assert not [job for job in api.list(JOB) if job["metadata"]["name"].startswith("old-")]
