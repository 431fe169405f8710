"""A Kubernetes in a dictionary: an API server with UIDs and preconditions, and the controllers that matter."""

from __future__ import annotations

import copy
import random
from collections.abc import Mapping
from typing import Any

from reasoning_contract.api import JOB_LABEL, UID_LABEL
from reasoning_operator.client import ApiError
from reasoning_operator.kinds import JOB, POD, TRAINING_JOB, Kind, kind_of
from reasoning_operator.model import Json, Key

NAMESPACE = "team"
_BY_PLURAL = {
    "reasoningtrainingjobs": TRAINING_JOB,
    "jobs": JOB,
    "pods": POD,
    "configmaps": kind_of("v1", "ConfigMap"),
    "persistentvolumeclaims": kind_of("v1", "PersistentVolumeClaim"),
    "networkpolicies": kind_of("networking.k8s.io/v1", "NetworkPolicy"),
    "events": kind_of("v1", "Event"),
}
News = tuple[str, Kind, Json]


class FakeCluster:
    """Holds objects, answers as an API server does, and writes down what a watch would tell."""

    def __init__(self) -> None:
        self.things: dict[tuple[Kind, Key], Json] = {}
        self.news: list[News] = []
        self.requests: list[str] = []
        self._version = 100

    # --- what the operator asks for

    async def get(self, path: str, query: Mapping[str, str] | None = None) -> Json | None:
        self.requests.append("GET")
        kind, key, _ = _where(path)
        found = self.things.get((kind, key))
        return copy.deepcopy(found) if found else None

    async def list(self, path: str, query: Mapping[str, str]) -> list[Json]:
        self.requests.append("LIST")
        kind, _, _ = _where(path)
        wanted = dict(term.split("=") for term in query["labelSelector"].split(","))
        found = (each for (of, _), each in self.things.items() if of is kind)
        return [copy.deepcopy(each) for each in found if wanted.items() <= each["metadata"].get("labels", {}).items()]

    async def create(self, body: Json) -> Json:
        self.requests.append("POST")
        return self.add(body)

    async def patch(self, path: str, body: Json) -> Json:
        self.requests.append("PATCH")
        kind, key, _ = _where(path)
        live = self._there(kind, key)
        for name in ("uid", "resourceVersion"):
            if body["metadata"].get(name) not in (None, live["metadata"][name]):
                raise ApiError(409, f"another {name}")
        return self.change(kind, key, body)

    async def replace(self, path: str, body: Json) -> Json:
        self.requests.append("PUT")
        kind, key, subresource = _where(path)
        live = self._there(kind, key)
        if live["metadata"]["resourceVersion"] != body["metadata"]["resourceVersion"]:
            raise ApiError(409, "another version")
        assert subresource == "status"
        return self.change(kind, key, {"status": None}) and self.change(kind, key, {"status": body["status"]})

    async def delete(self, thing: Json) -> None:
        self.requests.append("DELETE")
        key = (kind_of(thing["apiVersion"], thing["kind"]), _key(thing))
        live = self.things.get(key)
        if live is None:
            return
        for name in ("uid", "resourceVersion"):
            if live["metadata"][name] != thing["metadata"][name]:
                raise ApiError(409, f"another {name}")
        self.drop(*key)

    # --- what others do

    def add(self, body: Json) -> Json:
        kind, key = kind_of(body["apiVersion"], body["kind"]), _key(body)
        if (kind, key) in self.things:
            raise ApiError(409, "already exists")
        thing = copy.deepcopy(body)
        self._version += 1
        thing["metadata"] |= {"uid": f"uid-{self._version}", "creationTimestamp": "2026-05-04T11:00:00Z"}
        return self._keep("ADDED", kind, key, thing)

    def change(self, kind: Kind, key: Key, patch: Json) -> Json:
        before = self.things[kind, key]
        after = _merge(copy.deepcopy(before), patch)
        if kind is TRAINING_JOB and after["spec"] != before["spec"]:
            after["metadata"]["generation"] = before["metadata"].get("generation", 1) + 1
        return self._keep("MODIFIED", kind, key, after)

    def drop(self, kind: Kind, key: Key) -> None:
        thing = self.things.pop((kind, key))
        self._version += 1
        thing["metadata"]["resourceVersion"] = str(self._version)
        self.news.append(("DELETED", kind, copy.deepcopy(thing)))

    def of(self, kind: Kind) -> list[Json]:
        return [each for (of, _), each in self.things.items() if of is kind]

    @property
    def version(self) -> int:
        return self._version

    def control(self, rng: random.Random) -> None:
        """Let the garbage collector, the Job controller and the kubelet each do a little."""
        uids = {each["metadata"]["uid"] for each in self.things.values()}
        for (kind, key), thing in list(self.things.items()):
            if any(owner["uid"] not in uids for owner in thing["metadata"].get("ownerReferences", [])):
                self._end(kind, key, rng) if kind is POD else self.drop(kind, key)
        for job in self.of(JOB):
            mine = [
                pod for pod in self.of(POD) if pod["metadata"]["ownerReferences"][0]["uid"] == job["metadata"]["uid"]
            ]
            if job["spec"].get("suspend"):
                for pod in mine:
                    self._end(POD, _key(pod), rng)
            elif not mine:
                self.add(_pod_of(job))

    def _end(self, kind: Kind, key: Key, rng: random.Random) -> None:
        """End a pod that is to go, in its own time: it saves a checkpoint."""
        if rng.random() < 0.3:
            self.drop(kind, key)

    def _there(self, kind: Kind, key: Key) -> Json:
        if (kind, key) not in self.things:
            raise ApiError(404, "not found")
        return self.things[kind, key]

    def _keep(self, what: str, kind: Kind, key: Key, thing: Json) -> Json:
        self._version += 1
        thing["metadata"]["resourceVersion"] = str(self._version)
        self.things[kind, key] = thing
        self.news.append((what, kind, copy.deepcopy(thing)))
        return copy.deepcopy(thing)


def _pod_of(job: Json) -> Json:
    meta = job["metadata"]
    owner = {"apiVersion": "batch/v1", "kind": "Job", "name": meta["name"], "uid": meta["uid"], "controller": True}
    labels = {name: meta["labels"][name] for name in (JOB_LABEL, UID_LABEL)}
    name = f"{meta['name']}-{meta['uid'].removeprefix('uid-')}"
    running = [{"name": "trainer", "state": {"running": {"startedAt": "2026-05-04T11:00:00Z"}}}]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"namespace": NAMESPACE, "name": name, "labels": labels, "ownerReferences": [owner]},
        "spec": {"containers": [{"name": "trainer", "image": "trainer:cpu"}]},
        "status": {"phase": "Running", "containerStatuses": running},
    }


def _key(thing: Json) -> Key:
    return Key(thing["metadata"]["namespace"], thing["metadata"]["name"])


def _where(path: str) -> tuple[Kind, Key, str]:
    _, _, rest = path.partition("/namespaces/")
    namespace, plural, *name = rest.split("/")
    return _BY_PLURAL[plural], Key(namespace, name[0] if name else ""), name[1] if len(name) > 1 else ""


def _merge(live: Any, patch: Any) -> Any:
    """Apply a merge patch (RFC 7396)."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(live) if isinstance(live, dict) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = _merge(merged.get(name), value)
    return merged
