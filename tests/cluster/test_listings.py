"""What the operator lists on a real API server: a cluster without a job answers otherwise than one that has some."""

from __future__ import annotations

import asyncio
import uuid
from pathlib import Path

import pytest
from tests.cluster.operator_under_test import Api, install_crd, manifest

from reasoning_operator import watches
from reasoning_operator.client import Cluster
from reasoning_operator.credentials import from_kubeconfig
from reasoning_operator.kinds import TRAINING_JOB
from reasoning_operator.model import Key
from reasoning_operator.store import Store
from reasoning_operator.watches import Vitals, Watches


class Counting(Vitals):
    """Vitals that end the wait when the jobs were heard of often enough: at the start, and by two audits."""

    def __init__(self) -> None:
        super().__init__()
        self.heard = 0
        self.audited = asyncio.Event()

    def beat(self, watch: str) -> None:
        super().beat(watch)
        self.heard += watch == TRAINING_JOB.plural
        if self.heard == 3:
            self.audited.set()


async def audited(kubeconfig: Path, namespace: str) -> Store:
    """Return the store once all watches have listed a namespace and its jobs were audited twice."""
    store, vitals = Store(lambda key: None), Counting()
    access = from_kubeconfig([kubeconfig])
    async with access.session() as session, asyncio.timeout(30), asyncio.TaskGroup() as group:
        following = Watches(Cluster(session, access.server), store, (namespace,), vitals)
        running = group.create_task(following.run())
        await following.ready.wait()
        await vitals.audited.wait()
        running.cancel()
    return store


def test_cluster_without_a_job_is_audited_as_one_with_jobs(api_server: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install_crd(api_server)
    monkeypatch.setattr(watches, "AUDIT_SECONDS", 0.1)
    namespace = f"empty-{uuid.uuid4().hex[:6]}"
    cluster = Api(api_server, "default")
    cluster.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    store = asyncio.run(audited(api_server, namespace))
    assert store.get(TRAINING_JOB, namespace, "first") is None
    made = Api(api_server, namespace).create(manifest("first"))
    store.put(TRAINING_JOB, made)
    assert store.version(TRAINING_JOB, Key(namespace, "first")) == int(made["metadata"]["resourceVersion"])
    cluster.delete(("v1", "Namespace"), namespace)
