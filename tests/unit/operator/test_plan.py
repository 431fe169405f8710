"""What is changed in the cluster, for each state that it can be found in."""

from __future__ import annotations

import copy
import json
from datetime import timedelta
from typing import Any

import pytest
from tests.unit.operator.objects import (
    EARLIER,
    NOW,
    SETTINGS,
    batch_job,
    ended_pod,
    live,
    pod,
    rtj,
    running_pod,
    training_job,
)

from reasoning_operator.acceptance import accept
from reasoning_operator.children import config, network_policy, volume
from reasoning_operator.children import training_job as batch
from reasoning_operator.model import Json, Observed
from reasoning_operator.plan import Plan, difference, plan
from reasoning_operator.settings import Settings


def whole(old: Json | None = None, *, pods: tuple[Json, ...] = (), end: str = "", **parts: Any) -> Observed:
    """Return a job with all its children as they should be."""
    job = training_job(**parts)
    return Observed(
        job=rtj(old, **parts),
        batch_job=batch_job(batch.build(job, SETTINGS), end),
        claim=live(volume.build(job)),
        config_map=live(config.build(job)),
        network_policy=live(network_policy.build(job, SETTINGS)),
        pods=pods,
    )


def changed(observed: Observed, **fields: Any) -> Observed:
    return Observed(**(vars(observed) | fields))


def decide(observed: Observed, after: float = 0) -> Plan:
    return plan(observed, accept(observed, SETTINGS), SETTINGS, NOW + timedelta(seconds=after))


def kinds(things: tuple[Json, ...]) -> list[str]:
    return [thing["kind"] for thing in things]


def test_new_job_gets_its_children_the_job_last() -> None:
    made = decide(Observed(rtj(), inputs={})).create
    assert kinds(made) == ["ConfigMap", "NetworkPolicy", "PersistentVolumeClaim", "Job"]


def test_existing_claim_is_not_made() -> None:
    observed = Observed(rtj(storage={"existingClaim": "mine"}), claim={"metadata": {"name": "mine"}}, inputs={})
    assert "PersistentVolumeClaim" not in kinds(decide(observed).create)


def test_policy_is_made_only_if_wanted() -> None:
    assert "NetworkPolicy" not in kinds(decide(Observed(rtj(pod={"networkPolicy": False}), inputs={})).create)
    unwanted = whole(pod={"networkPolicy": False})
    assert kinds(decide(unwanted).delete) == ["NetworkPolicy"]


def test_nothing_is_done_when_all_is_as_wanted() -> None:
    assert decide(whole(pods=(running_pod(),))) == Plan()


def test_api_servers_defaults_are_not_drift() -> None:
    observed = whole(pods=(running_pod(),))
    job, policy = copy.deepcopy(observed.batch_job), copy.deepcopy(observed.network_policy)
    assert job
    assert policy
    job["spec"] |= {"completionMode": "NonIndexed", "manualSelector": False}
    del policy["spec"]["egress"]  # an empty list is left out
    assert decide(changed(observed, batch_job=job, network_policy=policy)) == Plan()


@pytest.mark.parametrize(
    ("child", "where", "patch"),
    [
        ("batch_job", ("spec", "suspend"), {"spec": {"suspend": False}}),
        ("batch_job", ("spec", "backoffLimit"), {"spec": {"backoffLimit": 2}}),
        ("batch_job", ("spec", "activeDeadlineSeconds"), {"spec": {"activeDeadlineSeconds": None}}),
        ("config_map", ("data", "job.json"), None),
        ("network_policy", ("spec", "policyTypes"), {"spec": {"policyTypes": ["Ingress", "Egress"]}}),
        ("claim", ("metadata", "labels"), {"metadata": {"labels": {"reasoning-operator.io/job": "sums"}}}),
    ],
)
def test_drift_is_patched(child: str, where: tuple[str, str], patch: Json | None) -> None:
    observed = whole(pods=(running_pod(),))
    edited = copy.deepcopy(getattr(observed, child))
    if where[1] == "labels":
        del edited["metadata"]["labels"]["reasoning-operator.io/job"]
    else:
        edited[where[0]][where[1]] = 99
    ((thing, made),) = decide(changed(observed, **{child: edited})).patch
    assert thing == edited
    assert patch is None or made == patch
    assert list(made) == [where[0]]


def test_users_own_labels_and_a_bigger_volume_are_left_alone() -> None:
    observed = whole(pods=(running_pod(),))
    claim = copy.deepcopy(observed.claim)
    assert claim
    claim["metadata"]["labels"]["mine"] = "x"
    claim["spec"]["resources"] = {"requests": {"storage": "500Gi"}}
    assert decide(changed(observed, claim=claim)) == Plan()


def test_retain_moves_the_owner_of_the_claim() -> None:
    observed = whole(pods=(running_pod(),))
    ((_, patch),) = decide(changed(observed, job=rtj(storage={"retain": False}))).patch[-1:]
    assert patch["metadata"]["ownerReferences"][0]["uid"] == observed.uid
    owned = whole(pods=(running_pod(),), storage={"retain": False})
    ((_, patch),) = decide(changed(owned, job=rtj())).patch[-1:]
    assert patch["metadata"] == {"ownerReferences": []}


def test_suspend_and_resume_patch_the_job() -> None:
    observed = whole(pods=(running_pod(),))
    suspended = decide(changed(observed, job=rtj(suspend=True)))
    assert [patch for _, patch in suspended.patch] == [{"spec": {"suspend": True}}]
    resumed = decide(changed(whole(suspend=True), job=rtj()))
    assert [patch for _, patch in resumed.patch] == [{"spec": {"suspend": False}}]


def test_changed_template_of_a_suspended_job_makes_it_anew() -> None:
    observed = changed(whole(suspend=True), job=rtj(suspend=True, pod={"image": "other:1"}))
    assert kinds(decide(observed).delete) == ["Job"]
    still_ending = changed(observed, pods=(running_pod(),))
    assert decide(still_ending).delete == ()


def test_running_job_is_not_disturbed_by_another_template() -> None:
    observed = whole(pods=(running_pod(),))
    job = copy.deepcopy(observed.batch_job)
    assert job
    job["metadata"]["annotations"] = {"reasoning-operator.io/template-hash": "of-an-older-operator"}
    assert decide(changed(observed, batch_job=job)) == Plan()


def of_an_older_version(**parts: Any) -> Observed:
    """Return a job whose spec this version reads otherwise than the version that made its children: another seed."""
    return changed(whole(reinforce={"seed": 7}, **parts), job=rtj(**parts), pods=(running_pod(),))


def seed_of(patch: Json) -> int:
    seed: int = json.loads(patch["data"]["job.json"])["spec"]["reinforce"]["seed"]
    return seed


def test_running_job_keeps_the_spec_that_an_older_version_made() -> None:
    assert decide(of_an_older_version()) == Plan()
    between_attempts = changed(of_an_older_version(), pods=(ended_pod(137),))
    assert decide(between_attempts).patch == ()


def test_budget_of_a_running_job_may_change() -> None:
    gpu = {"parallelism": {"gpusPerNode": 1}}
    raised = changed(of_an_older_version(**gpu), job=rtj(**gpu, limits={"gpuHours": 2}))
    ((_, patch),) = decide(raised).patch
    assert json.loads(patch["data"]["job.json"])["spec"]["limits"]["gpuHours"] == 2
    assert seed_of(patch) == 7
    taken_back = changed(whole(**gpu, limits={"gpuHours": 2}, pods=(running_pod(),)), job=rtj(**gpu))
    ((_, patch),) = decide(taken_back).patch
    assert "gpuHours" not in json.loads(patch["data"]["job.json"])["spec"]["limits"]


def with_text(observed: Observed, text: str) -> Observed:
    edited = copy.deepcopy(observed.config_map)
    assert edited
    edited["data"]["job.json"] = text
    return changed(observed, config_map=edited)


@pytest.mark.parametrize("text", ["99", "{}", "[]", '{"spec": 1}', '{"spec": {"limits": {}}}', "not json"])
def test_spec_of_a_running_job_that_somebody_else_wrote_is_put_back(text: str) -> None:
    ((_, patch),) = decide(with_text(of_an_older_version(), text)).patch
    assert seed_of(patch) == 3407


@pytest.mark.parametrize("limits", [[], None, "x", 5, {"bogus": 1}, {"maxAttempts": 3}])
def test_limits_that_somebody_else_wrote_are_put_back(limits: Any) -> None:
    observed = of_an_older_version()
    assert observed.config_map
    manifest = json.loads(observed.config_map["data"]["job.json"])
    manifest["spec"]["limits"] = limits
    ((_, patch),) = decide(with_text(observed, json.dumps(manifest))).patch
    assert json.loads(patch["data"]["job.json"])["spec"]["limits"] == {}


def test_suspended_job_of_an_older_version_keeps_its_spec_until_its_pod_has_ended() -> None:
    """It may be resumed before, and then the Job goes on that was made with it."""
    assert decide(of_an_older_version(suspend=True)) == Plan()


def test_job_that_does_not_say_what_it_was_made_with_keeps_its_spec() -> None:
    observed = of_an_older_version()
    job = copy.deepcopy(observed.batch_job)
    assert job
    del job["metadata"]["annotations"]["reasoning-operator.io/spec-hash"]
    assert decide(changed(observed, batch_job=job)) == Plan()


def edited(phase: str | None, *pods: Json, **more: Any) -> Observed:
    """Return a job whose recipe was changed since its Job was made, with a status that says a phase."""
    old = {"phase": phase, "startTime": EARLIER} if phase else None
    return changed(whole(reinforce={"seed": 7}), job=rtj(old, **more), pods=pods)


def assert_made_anew(observed: Observed) -> None:
    """The Job goes first, then the spec changes, and the Job is made: no pod starts with another's spec."""
    first = decide(observed)
    assert (kinds(first.delete), first.patch, first.create) == (["Job"], (), ())
    while_a_pod_ends = changed(observed, batch_job=None, inputs={}, pods=(running_pod(),))
    assert (decide(while_a_pod_ends).patch, decide(while_a_pod_ends).create) == ((), ())
    last = decide(changed(observed, batch_job=None, inputs={}, pods=()))
    ((_, patch),) = last.patch
    assert (seed_of(patch), kinds(last.create)) == (3407, ["Job"])


@pytest.mark.parametrize("pods", [(), (pod(),), (ended_pod(90),)], ids=["none", "pending", "over"])
@pytest.mark.parametrize("phase", [None, "Pending", "Suspended"])
def test_edit_while_the_phase_allows_it_makes_the_job_anew(phase: str | None, pods: tuple[Json, ...]) -> None:
    """Also in the moment between the Job, or its resumption, and the status that says so."""
    assert_made_anew(edited(phase, *pods))


@pytest.mark.parametrize("phase", ["Starting", "Running"])
def test_job_that_is_said_to_be_at_work_is_not_made_anew(phase: str) -> None:
    """Such as one that waits for a GPU for hours while the operator is upgraded."""
    for pods in ((), (pod(),), (running_pod(),)):
        todo = decide(edited(phase, *pods))
        assert (todo.delete, todo.patch) == ((), ())
    assert decide(edited("Suspended", running_pod())).delete == ()


def test_operator_without_an_image_leaves_the_job_that_has_one() -> None:
    observed = edited("Pending", pod())
    bare = Settings()
    assert plan(observed, accept(observed, bare), bare, NOW).delete == ()


def test_what_may_change_at_any_time_does_not_make_a_suspended_job_anew() -> None:
    observed = whole(suspend=True)
    job = rtj(suspend=True, storage={"retain": False}, limits={"maxAttempts": 7, "activeDeadlineSeconds": 60})
    todo = decide(changed(observed, job=job))
    assert todo.delete == ()
    assert "data" not in {name for _, patch in todo.patch for name in patch}


def test_hash_of_a_spec_stays_what_it_was() -> None:
    """With another one, a new version would write the spec of every running job anew."""
    manifest = {"kind": "ReasoningTrainingJob", "spec": {"reinforce": {"seed": 1}, "limits": {"gpuHours": 2.0}}}
    assert config._hash(manifest) == "7c5e608e984755c0"


def test_suspended_job_of_an_older_version_is_made_anew_with_this_ones_spec() -> None:
    assert_made_anew(changed(of_an_older_version(suspend=True), pods=()))


REFUSED = {"queue": {"name": "a"}}
"""What this version does not support, and another may have started."""


def test_running_job_that_would_be_refused_still_heeds_limits_and_the_wish_to_suspend() -> None:
    running = whole(pods=(running_pod(),))
    at_work = changed(running, job=rtj(**REFUSED))
    assert decide(at_work) == Plan(retry=True)
    ((_, patch),) = decide(changed(running, job=rtj(**REFUSED, suspend=True))).patch
    assert patch == {"spec": {"suspend": True}}
    ((_, patch),) = decide(changed(running, job=rtj(**REFUSED, limits={"activeDeadlineSeconds": 7}))).patch
    assert patch == {"spec": {"activeDeadlineSeconds": 7}}
    unreadable = rtj(suspend=True)
    unreadable["spec"]["limits"] = {"fromTheFuture": 1}
    ((_, patch),) = decide(changed(running, job=unreadable)).patch
    assert patch == {"spec": {"suspend": True}}


def test_suspended_job_that_is_refused_does_not_go_on() -> None:
    assert decide(changed(whole(suspend=True), job=rtj(**REFUSED))) == Plan(retry=True)


def test_ended_job_that_is_refused_is_left_alone() -> None:
    observed = changed(whole(end="Complete"), job=rtj(**REFUSED, suspend=True))
    assert decide(observed).patch == ()


def test_deleted_job_is_made_again_when_its_pods_are_over() -> None:
    observed = changed(whole(), batch_job=None, inputs={})
    assert kinds(decide(observed).create) == ["Job"]
    assert kinds(decide(changed(observed, pods=(ended_pod(137),))).create) == ["Job"]
    assert decide(changed(observed, pods=(running_pod(),))).create == ()


def test_job_that_is_being_deleted_is_waited_for() -> None:
    observed = whole(pods=(running_pod(),))
    job = copy.deepcopy(observed.batch_job)
    assert job
    job["metadata"]["deletionTimestamp"] = EARLIER
    assert decide(changed(observed, batch_job=job)) == Plan()


def test_object_that_is_being_deleted_is_left_alone() -> None:
    job = rtj()
    job["metadata"]["deletionTimestamp"] = EARLIER
    assert decide(Observed(job, inputs={})) == Plan()


def test_refused_job_is_looked_at_again_unless_nothing_can_mend_it() -> None:
    assert decide(Observed(rtj(storage={"existingClaim": "no"}), inputs={})) == Plan(retry=True)
    assert decide(Observed(rtj(queue={"name": "a"}), inputs={})) == Plan()


def test_job_that_waits_is_not_looked_at_on_a_timer() -> None:
    for pods in ((), (pod(),), (running_pod(),), (ended_pod(137),)):
        assert decide(whole(pods=pods)).requeue_after is None


def test_new_pod_is_looked_at_when_its_node_and_volume_should_be_there() -> None:
    fresh = pod() | {"metadata": {**pod()["metadata"], "creationTimestamp": "2026-05-04T11:59:50Z"}}
    assert decide(whole(pods=(fresh,))).requeue_after == 10


def test_image_that_is_not_pulled_is_looked_at_when_its_time_is_over() -> None:
    scheduled = {"type": "PodScheduled", "status": "True", "lastTransitionTime": "2026-05-04T11:55:00Z"}
    pulls = pod({"waiting": {"reason": "ImagePullBackOff"}}, conditions=[scheduled])
    assert decide(whole(pods=(pulls,))).requeue_after == 300


@pytest.mark.parametrize("suspend", [False, True])
def test_deadline_is_looked_at_when_it_comes(suspend: bool) -> None:
    """Also of a suspended job: the time counts on."""
    started = {"phase": "Suspended" if suspend else "Running", "startTime": "2026-05-04T11:59:00Z"}
    pods = () if suspend else (running_pod(),)
    observed = whole(started, pods=pods, limits={"activeDeadlineSeconds": 100}, suspend=suspend)
    assert decide(observed).requeue_after == 40


DONE = {"phase": "Succeeded", "completionTime": "2026-05-04T11:59:00Z"}


def test_finished_job_is_left_alone_whatever_is_missing() -> None:
    assert decide(Observed(rtj(DONE))) == Plan()


def test_finished_job_is_deleted_after_its_time() -> None:
    observed = whole(DONE, end="Complete", limits={"ttlSecondsAfterFinished": 100})
    assert decide(observed) == Plan(requeue_after=40)
    assert kinds(decide(observed, after=40).delete) == ["ReasoningTrainingJob"]


def test_job_that_the_operator_let_fail_is_ended() -> None:
    observed = whole({"phase": "Failed", "completionTime": EARLIER}, pods=(running_pod(),))
    assert kinds(decide(observed).delete) == ["Job"]
    assert decide(whole({"phase": "Failed", "completionTime": EARLIER}, end="Failed")) == Plan()


@pytest.mark.parametrize(
    ("live", "wanted", "patch"),
    [
        ({"a": 1}, {"a": 1}, {}),
        ({"a": 1, "b": 2}, {"a": 1}, {}),
        ({"a": 1}, {"a": 2}, {"a": 2}),
        ({}, {"a": {"b": 1}}, {"a": {"b": 1}}),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 3}}, {"a": {"b": 3}}),
        ({"a": [1]}, {"a": [1, 2]}, {"a": [1, 2]}),
        ({"a": [{"b": 1, "default": 0}]}, {"a": [{"b": 1}]}, {}),
        ({"a": [{"b": 1}]}, {"a": [{"b": 2}]}, {"a": [{"b": 2}]}),
        ({}, {"a": []}, {}),
        ({"a": [1]}, {"a": []}, {"a": []}),
        ({"a": 1}, {"a": None}, {"a": None}),
        ({}, {"a": None}, {}),
    ],
)
def test_difference(live: Json, wanted: Json, patch: Json) -> None:
    assert difference(live, wanted) == patch
