"""Two operators: one works, and the other takes over when the first is told to stop or dies."""

from __future__ import annotations

import signal
import uuid
from pathlib import Path

from tests.cluster.operator_under_test import Api, Operator, install_crd, manifest, running
from tests.polling import eventually

LEASE = ("coordination.k8s.io/v1", "Lease")


def test_one_operator_at_a_time(api_server: Path, tmp_path: Path) -> None:
    install_crd(api_server)
    namespace = f"lease-{uuid.uuid4().hex[:6]}"
    cluster = Api(api_server, "default")
    cluster.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    api = Api(api_server, namespace)
    first, second = (
        Operator(api_server, tmp_path / name, lease_namespace=namespace, namespaces=namespace) for name in ("a", "b")
    )

    def leads(operator: Operator) -> bool:
        return "leading" in operator.log()

    with running(first):
        eventually(lambda: leads(first), "the first operator's lead")
        with running(second):
            api.create(manifest("one"))
            api.wait_for_phase("one", "Starting")
            assert not leads(second)
            holder = (api.get(LEASE, "reasoning-operator") or {})["spec"]["holderIdentity"]
            first.stop(signal.SIGKILL)
            eventually(lambda: leads(second), "the second operator's lead", seconds=60)
            assert (api.get(LEASE, "reasoning-operator") or {})["spec"]["holderIdentity"] != holder
            api.create(manifest("two"))
            api.wait_for_phase("two", "Starting")
            assert second.stop() == 0
            assert not (api.get(LEASE, "reasoning-operator") or {})["spec"].get("holderIdentity"), "given back"
    cluster.delete(("v1", "Namespace"), namespace)
