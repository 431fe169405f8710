"""A real API server whose watches lie: nothing is made twice, nothing is lost, and all comes right in the end."""

from __future__ import annotations

import random
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from kubernetes.dynamic.exceptions import ConflictError, NotFoundError
from tests.cluster.lying_proxy import LyingProxy
from tests.cluster.operator_under_test import (
    CLAIM,
    CONFIG_MAP,
    JOB,
    POD,
    POLICY,
    RTJ,
    Api,
    FakeKubelet,
    Json,
    Operator,
    install_crd,
    manifest,
    running,
)
from tests.polling import eventually

from reasoning_contract.api import UID_LABEL

LEFT_ALONE, DISTURBED = ("calm-0", "calm-1"), ("wild-0", "wild-1", "wild-2")
CHILDREN = {JOB: "train", CLAIM: "output", CONFIG_MAP: "spec", POLICY: "train"}
STEPS = 30


@contextmanager
def lying(api_server: Path, seed: int) -> Iterator[LyingProxy]:
    proxy = LyingProxy(api_server, seed)
    try:
        yield proxy
    finally:
        proxy.close()


class Users:
    """Users and the kubelet, who see the cluster as it is."""

    def __init__(self, api: Api, seed: int) -> None:
        self._api = api
        self._rng = random.Random(seed)
        self.seen: dict[str, set[str]] = {name: set() for name in LEFT_ALONE}

    def step(self) -> None:
        """Do one thing, start pods that wait, and see that no run has two."""
        name = self._rng.choice(DISTURBED)
        job = self._api.get(RTJ, name)
        choice = self._rng.random()
        if job is None:
            self._api.create(manifest(name))
        elif choice < 0.2:
            self._api.delete(RTJ, name)
        elif choice < 0.5:
            self._api.patch(RTJ, name, {"spec": {"suspend": self._rng.random() < 0.5}})
        elif choice < 0.65 and self._api.get(JOB, f"{name}-train"):
            self._api.delete(JOB, f"{name}-train")
        elif choice < 0.8 and self._api.get(CONFIG_MAP, f"{name}-spec"):
            self._api.patch(CONFIG_MAP, f"{name}-spec", {"data": {"job.json": "{}"}})
        self.look()

    def look(self) -> None:
        """Start pods that wait, and see that no run has two."""
        at_work = [
            pod for pod in self._api.list(POD) if (pod.get("status") or {}).get("phase") in ("Pending", "Running")
        ]
        runs = Counter(pod["metadata"]["labels"][UID_LABEL] for pod in at_work)
        assert not runs or max(runs.values()) == 1, runs
        for pod in at_work:
            if pod["status"]["phase"] == "Pending":
                start(self._api, pod)
        for batch_job in self._api.list(JOB):
            owner = batch_job["metadata"]["name"].removesuffix("-train")
            if owner in self.seen:
                self.seen[owner].add(batch_job["metadata"]["uid"])

    def is_right(self, name: str) -> bool:
        """Whether a job is as its spec says, with all its children, each its own."""
        self.look()
        job = self._api.get(RTJ, name)
        assert job
        found = [self._api.get(kind, f"{name}-{end}") for kind, end in CHILDREN.items()]
        owned = all(each and each["metadata"]["labels"][UID_LABEL] == job["metadata"]["uid"] for each in found[::2])
        wanted = "Suspended" if job["spec"].get("suspend") else "Running"
        return all(found) and owned and (job.get("status") or {}).get("phase") == wanted


def start(api: Api, pod: Json) -> None:
    with suppress(ConflictError, NotFoundError):  # it has gone meanwhile
        FakeKubelet(api).run(pod)


@pytest.mark.parametrize("seed", [1, 2])
def test_watches_that_lie_make_nothing_twice_and_lose_nothing(api_server: Path, tmp_path: Path, seed: int) -> None:
    install_crd(api_server)
    namespace = f"lies-{uuid.uuid4().hex[:6]}"
    cluster = Api(api_server, "default")
    cluster.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    api, users = Api(api_server, namespace), Users(Api(api_server, namespace), seed)
    with lying(api_server, seed) as proxy:
        operator = Operator(proxy.kubeconfig(tmp_path / "kubeconfig"), tmp_path / "log", namespaces=namespace)
        with running(operator):
            for name in LEFT_ALONE + DISTURBED:
                api.create(manifest(name))
            for name in LEFT_ALONE:
                eventually(lambda name=name: users.is_right(name), f"{name} at work", seconds=60)  # type: ignore[misc]
            for _ in range(STEPS):
                users.step()
            assert min(proxy.told[lie] for lie in ("lost", "twice", "late")) > 0, proxy.told
            proxy.be_honest()
            for name in DISTURBED:
                if api.get(RTJ, name) is None:
                    api.create(manifest(name))
            for name in LEFT_ALONE + DISTURBED:
                eventually(
                    lambda name=name: users.is_right(name),  # type: ignore[misc]
                    lambda name=name: f"{name} is right: {api.status(name)}",  # type: ignore[misc]
                    seconds=60,
                )
        assert {name: len(uids) for name, uids in users.seen.items()} == dict.fromkeys(LEFT_ALONE, 1)
        assert "Traceback" not in operator.log(), operator.log()
    cluster.delete(("v1", "Namespace"), namespace)
