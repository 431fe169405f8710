"""What is taken from the store, and what is asked of the API server."""

from __future__ import annotations

import asyncio
import copy
from typing import cast

import pytest
from tests.unit.operator.fake_cluster import NAMESPACE, FakeCluster
from tests.unit.operator.objects import SETTINGS, report, rtj, training_job

from reasoning_operator.children.table import TABLE
from reasoning_operator.client import Cluster
from reasoning_operator.kinds import EVENT, JOB, POD, TRAINING_JOB, Kind
from reasoning_operator.model import Json, Key, Observed
from reasoning_operator.observe import observe
from reasoning_operator.store import Store

KEY = Key(NAMESPACE, "sums")
OWNER = {"apiVersion": "batch/v1", "kind": "Job", "name": "sums-train", "uid": "job-1", "controller": True}


def numbered(thing: Json, uid: str) -> Json:
    meta = {**thing["metadata"], "uid": uid, "resourceVersion": "7", "creationTimestamp": "2026-05-04T11:00:00Z"}
    return {**copy.deepcopy(thing), "metadata": meta}


def stored(*more: tuple[Kind, Json], old: Json | None = None, **parts: object) -> Store:
    """Return a store with a job, its children, and what else is given."""
    store = Store(lambda key: None)
    job = training_job(**parts)
    store.put(TRAINING_JOB, rtj(old, **parts))
    for row in TABLE:
        if child := row.build(job, SETTINGS):
            store.put(row.kind, numbered(child, f"{row.role}-1".removeprefix("batch_")))
    for kind, thing in more:
        store.put(kind, thing)
    return store


def seen(store: Store, cluster: FakeCluster | None = None) -> Observed:
    api = cast(Cluster, cluster or FakeCluster())
    observed = asyncio.run(observe(store, api, KEY, {"pod-1": report(1), "other": report(2)}, {}))
    assert observed
    return observed


def pod(uid: str = "pod-1", owner: Json | None = OWNER, job_uid: str = "") -> Json:
    labels = {"reasoning-operator.io/job": "sums", "reasoning-operator.io/job-uid": job_uid or rtj()["metadata"]["uid"]}
    meta = {"namespace": NAMESPACE, "name": uid, "labels": labels, "ownerReferences": [owner] if owner else []}
    return numbered({"metadata": meta, "spec": {"containers": []}, "status": {"phase": "Running"}}, uid)


@pytest.mark.parametrize("phase", ["Running", "Succeeded"])
def test_job_whose_children_are_watched_costs_no_request(phase: str) -> None:
    cluster = FakeCluster()
    observed = seen(stored(old={"phase": phase}), cluster)
    assert observed.owns(observed.batch_job)
    assert cluster.requests == []


def test_pods_of_the_job_speak_for_it_and_others_with_its_labels_do_not() -> None:
    imposters = (pod("bare", None), pod("of-another", OWNER | {"uid": "job-0"}), pod("earlier", job_uid="gone"))
    store = stored((POD, pod()), *((POD, each) for each in imposters))
    observed = seen(store)
    assert [each["metadata"]["uid"] for each in observed.pods] == ["pod-1"]
    assert list(observed.progress) == ["pod-1"]


def test_pods_of_a_job_that_is_gone_are_still_at_work() -> None:
    store = stored((POD, pod()))
    store.gone(JOB, Key(NAMESPACE, "sums-train"))
    assert [each["metadata"]["uid"] for each in seen(store).pods] == ["pod-1"]


def test_events_are_those_about_what_keeps_it_from_starting() -> None:
    def event(uid: str) -> Json:
        thing = {"metadata": {"namespace": NAMESPACE, "name": uid}, "involvedObject": {"uid": uid}}
        return numbered(thing | {"reason": "FailedMount", "message": uid}, f"event-of-{uid}")

    events = [(EVENT, event(uid)) for uid in ("job-1", "pod-1", "claim-1", "else")]
    assert {each["message"] for each in seen(stored(*events)).events} == {"job-1", "claim-1"}
    assert {each["message"] for each in seen(stored((POD, pod()), *events)).events} == {"pod-1", "claim-1"}


def test_object_that_no_watch_selects_is_read_each_time() -> None:
    store, cluster = stored(), FakeCluster()
    name = Key(NAMESPACE, "sums-spec")
    foreign = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"namespace": NAMESPACE, "name": name.name}}
    store.gone(TABLE[0].kind, name)
    store.put_unwatched(TABLE[0].kind, cluster.add(foreign))
    assert seen(store, cluster).config_map
    cluster.drop(TABLE[0].kind, name)
    assert seen(store, cluster).config_map is None


def test_inputs_that_are_users_config_maps_are_read_until_the_job_is_made() -> None:
    data = {"train": {"source": "configmap://rows/train.jsonl"}, "heldOut": {"fraction": 0.1}}
    store, cluster = stored(data=data), FakeCluster()
    assert seen(store, cluster).inputs is None
    rows = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"namespace": NAMESPACE, "name": "rows"}}
    cluster.add(rows | {"data": {"train.jsonl": ""}})
    store.gone(JOB, Key(NAMESPACE, "sums-train"))
    assert seen(store, cluster).inputs == {("ConfigMap", "rows"): frozenset(["train.jsonl"])}
