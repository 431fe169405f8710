"""The store: what is newer wins, however and whenever it comes, and each change names the job that it concerns."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.operator.objects import rtj

from reasoning_operator.kinds import CLAIM, CONFIG_MAP, EVENT, JOB, POD, TRAINING_JOB, Kind
from reasoning_operator.model import Json, Key
from reasoning_operator.store import Store

SUMS, OTHER = Key("team", "sums"), Key("team", "other")


def thing(name: str, version: int, uid: str = "", job: str | None = "sums", **fields: Any) -> Json:
    labels = {} if job is None else {"reasoning-operator.io/job": job}
    meta = {"namespace": "team", "name": name, "uid": uid or name, "resourceVersion": str(version), "labels": labels}
    return {"metadata": meta | {"creationTimestamp": "2026-05-04T11:00:00Z"}} | fields


def event(name: str, about: str, version: int = 1, **fields: Any) -> Json:
    return thing(name, version, job=None, involvedObject={"uid": about}, **fields)


@pytest.fixture
def told() -> list[Key]:
    return []


@pytest.fixture
def store(told: list[Key]) -> Store:
    return Store(told.append)


def test_older_news_change_nothing(store: Store, told: list[Key]) -> None:
    store.put(CONFIG_MAP, thing("a", 9, data={"x": "new"}))
    for version in (9, 8):
        store.put(CONFIG_MAP, thing("a", version, data={"x": "old"}))
    found = store.get(CONFIG_MAP, "team", "a")
    assert found
    assert (found["data"], found["kind"], told) == ({"x": "new"}, "ConfigMap", [SUMS])


def test_versions_are_numbers(store: Store) -> None:
    store.put(CONFIG_MAP, thing("a", 9))
    store.put(CONFIG_MAP, thing("a", 10))
    assert store.version(CONFIG_MAP, Key("team", "a")) == 10


def test_deletion_of_an_earlier_object_leaves_its_successor(store: Store) -> None:
    store.put(CONFIG_MAP, thing("a", 9, uid="second"))
    store.remove(CONFIG_MAP, thing("a", 5, uid="first"))
    assert store.get(CONFIG_MAP, "team", "a")
    store.remove(CONFIG_MAP, thing("a", 10, uid="second"))
    assert store.get(CONFIG_MAP, "team", "a") is None


def test_listing_takes_out_what_it_lacks_but_not_what_is_newer(store: Store, told: list[Key]) -> None:
    for name, version in (("kept", 1), ("gone", 2), ("newer", 20)):
        store.put(CONFIG_MAP, thing(name, version))
    told.clear()
    store.prune(CONFIG_MAP, "elsewhere", set(), 10)
    assert told == []
    store.prune(CONFIG_MAP, "team", {Key("team", "kept")}, 10)
    there = [name for name in ("kept", "gone", "newer") if store.get(CONFIG_MAP, "team", name)]
    assert (there, told) == (["kept", "newer"], [SUMS])


def test_what_no_watch_selects_outlives_a_listing_until_a_watch_brings_it(store: Store) -> None:
    name = Key("team", "a")
    store.put_unwatched(CONFIG_MAP, thing("a", 1, job=None))
    store.prune(CONFIG_MAP, "", set(), 10)
    assert (store.is_watched(CONFIG_MAP, name), store.version(CONFIG_MAP, name)) == (False, 1)
    store.put(CONFIG_MAP, thing("a", 11))
    assert store.is_watched(CONFIG_MAP, name)


def test_pods_are_found_by_their_job_oldest_first(store: Store) -> None:
    young = thing("a", 1)
    young["metadata"]["creationTimestamp"] = "2026-05-04T12:00:00Z"
    for pod in (young, thing("b", 2), thing("c", 3, job="other")):
        store.put(POD, pod | {"spec": {"containers": []}})
    assert [pod["metadata"]["name"] for pod in store.pods(SUMS)] == ["b", "a"]
    store.put(POD, thing("b", 4, job="other", spec={"containers": []}))
    store.gone(POD, Key("team", "a"))
    assert store.pods(SUMS) == ()
    assert [pod["metadata"]["name"] for pod in store.pods(OTHER)] == ["b", "c"]


def test_event_wakes_the_job_of_what_it_is_about_and_goes_with_it(store: Store, told: list[Key]) -> None:
    store.put(EVENT, event("early", "pod-1", 1, reason="FailedAttachVolume"))
    assert told == []
    store.put(POD, thing("pod-1", 1, spec={"containers": []}))
    store.put(EVENT, event("late", "pod-1", 2, reason="FailedMount"))
    assert told == [SUMS, SUMS]
    assert [each["reason"] for each in store.events(["pod-1"])] == ["FailedAttachVolume", "FailedMount"]
    store.remove(EVENT, event("early", "pod-1"))
    assert [each["reason"] for each in store.events(["pod-1"])] == ["FailedMount"]
    store.gone(POD, Key("team", "pod-1"))
    assert store.events(["pod-1"]) == ()


def test_event_that_is_repeated_is_news_only_if_another_came_between(store: Store, told: list[Key]) -> None:
    store.put(POD, thing("pod-1", 1, spec={"containers": []}))
    store.put(EVENT, event("a", "pod-1", 2, reason="FailedMount", message="a", count=1))
    told.clear()
    for count in range(2, 5):
        store.put(EVENT, event("a", "pod-1", 1 + count, reason="FailedMount", message="a", count=count))
    assert told == []
    store.put(EVENT, event("b", "pod-1", 6, reason="FailedMount", message="b", count=1))
    store.put(EVENT, event("a", "pod-1", 7, reason="FailedMount", message="a", count=5))
    assert told == [SUMS, SUMS]
    assert [each["message"] for each in store.events(["pod-1"])] == ["b", "a"]


def test_event_that_nobody_reads_is_not_taken_in(store: Store, told: list[Key]) -> None:
    store.put(POD, thing("pod-1", 1, spec={"containers": []}))
    told.clear()
    store.put(EVENT, event("e", "pod-1", 2, reason="FailedScheduling", message="no node"))
    assert (told, store.events(["pod-1"])) == ([], ())


NOISE: list[tuple[Kind, Json]] = [
    (TRAINING_JOB, {"metadata": {"managedFields": [], "annotations": {"kubectl.kubernetes.io/last": "{}"}}}),
    (JOB, {"spec": {"template": {"a": 1}}, "status": {"active": 1, "ready": 0, "startTime": "2026-05-04T11:00:00Z"}}),
    (POD, {"status": {"qosClass": "Burstable", "conditions": [{"type": "Ready", "status": "False"}]}}),
    (POD, {"status": {"containerStatuses": [{"name": "trainer", "ready": True, "restartCount": 0, "state": {}}]}}),
    (CLAIM, {"spec": {"volumeMode": "Filesystem"}, "status": {"capacity": {"storage": "1Gi"}}}),
]


@pytest.mark.parametrize(("kind", "noise"), NOISE)
def test_update_of_what_nobody_reads_wakes_nobody_and_its_version_is_known(
    kind: Kind, noise: Json, store: Store, told: list[Key]
) -> None:
    def updated(version: int, more: Json) -> Json:
        status = {"conditions": [], "containerStatuses": [{"name": "trainer", "state": {}}]} if kind is POD else {}
        new = thing("a", version, spec={}, status=status)
        return new | {name: {**new[name], **part} for name, part in more.items()}

    store.put(kind, updated(1, {}))
    told.clear()
    store.put(kind, updated(2, noise))
    found = store.get(kind, "team", "a")
    assert found
    assert (told, found["metadata"]["resourceVersion"], store.version(kind, Key("team", "a"))) == ([], "2", 2)


def test_event_about_nothing_in_particular_is_no_error(store: Store, told: list[Key]) -> None:
    nameless = thing("e", 1, job=None, involvedObject={"kind": "Node"}, reason="FailedMount")
    store.put(EVENT, nameless)
    store.remove(EVENT, nameless)
    assert told == []


def test_claim_of_a_user_wakes_the_jobs_that_name_it(store: Store, told: list[Key]) -> None:
    naming: list[Json] = [
        {"storage": {"existingClaim": "mine"}},
        {"storage": {"cacheClaim": "mine"}},
        {"data": {"train": {"source": "pvc://mine/rows.jsonl"}, "heldOut": {"fraction": 0.1}}},
    ]
    for number, parts in enumerate([*naming, {}]):
        job = rtj(**parts)
        job["metadata"] |= {"name": f"job-{number}", "uid": f"job-{number}"}
        store.put(TRAINING_JOB, job)
    told.clear()
    store.put(CLAIM, thing("mine", 1, job=None))
    assert sorted(told) == [Key("team", f"job-{number}") for number in range(3)]
    for number in range(3):
        store.gone(TRAINING_JOB, Key("team", f"job-{number}"))
    told.clear()
    store.gone(CLAIM, Key("team", "mine"))
    assert told == []


def test_label_without_a_name_wakes_nobody(store: Store, told: list[Key]) -> None:
    store.put(POD, thing("a", 1, job="", spec={"containers": []}))
    assert told == []


def test_what_nobody_reads_is_not_kept(store: Store) -> None:
    managed = thing("a", 1, spec={"suspend": True, "template": {"spec": {}}})
    managed["metadata"]["managedFields"] = [{"manager": "x"}]
    store.put(JOB, managed)
    found = store.get(JOB, "team", "a")
    assert found
    assert found["spec"] == {"suspend": True}
    assert "managedFields" not in found["metadata"]
    found["spec"]["suspend"] = False
    assert (store.get(JOB, "team", "a") or {})["spec"] == {"suspend": True}, "what is read is one's own"
