"""The operator with the rights that the chart gives it, and no others: each call of a job's life is allowed."""

from __future__ import annotations

import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from kubernetes import client, config
from tests.cluster.operator_under_test import (
    CLAIM,
    CONFIG_MAP,
    POLICY,
    ROOT,
    RTJ,
    Api,
    FakeKubelet,
    Operator,
    install_crd,
    manifest,
    running,
)
from tests.polling import eventually


def tool(name: str, *words: str | Path, stdin: str | None = None) -> str:
    """Run kubectl or helm and return what it printed."""
    find = [sys.executable, str(ROOT / "hack/localcluster/localcluster.py"), "tool", name]
    binary = subprocess.run(find, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
    return subprocess.run([binary, *words], check=True, stdout=subprocess.PIPE, text=True, input=stdin).stdout


def grant(kubeconfig: Path, namespace: str, *flags: str) -> None:
    """Install the chart's ServiceAccount and roles, without its Deployment."""
    parts = [f"--show-only=templates/{name}.yaml" for name in ("serviceaccount", "rbac")]
    chart = ROOT / "helm/reasoning-operator"
    roles = tool("helm", "template", "ro", chart, "--namespace", namespace, *parts, *flags)
    tool("kubectl", "--kubeconfig", kubeconfig, "--namespace", namespace, "apply", "-f", "-", stdin=roles)


def revoke_cluster_role(kubeconfig: Path) -> None:
    names = ["clusterrole/ro-reasoning-operator", "clusterrolebinding/ro-reasoning-operator"]
    tool("kubectl", "--kubeconfig", kubeconfig, "delete", "--ignore-not-found", *names)


def kubeconfig_of_the_operator(admin: Path, namespace: str, folder: Path) -> Path:
    """Return a kubeconfig that holds nothing but a token of the chart's ServiceAccount."""
    api = client.CoreV1Api(config.new_client_from_config(str(admin)))
    request = client.AuthenticationV1TokenRequest(spec=client.V1TokenRequestSpec(audiences=[]))
    answer = api.create_namespaced_service_account_token("ro-reasoning-operator", namespace, request)
    document = yaml.safe_load(admin.read_text(encoding="utf-8"))
    for user in document["users"]:
        user["user"] = {"token": answer.status.token}
    path = folder / "kubeconfig"
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    return path


@pytest.fixture
def api(api_server: Path) -> Iterator[Api]:
    """A namespace of this test's own, for the operator and its job."""
    install_crd(api_server)
    name = f"rights-{uuid.uuid4().hex[:6]}"
    cluster = Api(api_server, "default")
    cluster.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    yield Api(api_server, name)
    cluster.delete(("v1", "Namespace"), name)
    revoke_cluster_role(api_server)


@pytest.mark.parametrize("everywhere", [True, False], ids=["whole cluster", "one namespace"])
def test_a_jobs_life_needs_no_other_rights(api_server: Path, api: Api, tmp_path: Path, everywhere: bool) -> None:
    grant(api_server, api.namespace, *([] if everywhere else [f"--set=watchNamespaces={{{api.namespace}}}"]))
    kubeconfig = kubeconfig_of_the_operator(api_server, api.namespace, tmp_path)
    namespaces = "" if everywhere else api.namespace
    settings = {"lease_namespace": api.namespace, "namespaces": namespaces}
    with running(Operator(kubeconfig, tmp_path / "log", **settings)) as operator:
        live_through(api)
        assert operator.stop() == 0
    # of another test's namespace that is going everybody is told so, whatever his rights
    refused = [line for line in operator.log().splitlines() if "orbidden" in line and "being terminated" not in line]
    assert refused == []


def live_through(api: Api) -> None:
    """Take a job through all that makes the operator write: children, suspension, drift, events, end and deletion."""
    kubelet = FakeKubelet(api)
    api.create(manifest("one", limits={"ttlSecondsAfterFinished": 1}))
    api.pod("one")
    api.patch(RTJ, "one", {"spec": {"suspend": True}})
    api.wait_for_phase("one", "Suspended")
    api.patch(RTJ, "one", {"spec": {"suspend": False, "storage": {"retain": False}}})
    eventually(lambda: (api.get(CLAIM, "one-output") or {})["metadata"].get("ownerReferences"), "the claim's owner")
    api.patch(CONFIG_MAP, "one-spec", {"data": {"job.json": "{}"}})
    eventually(lambda: (api.get(CONFIG_MAP, "one-spec") or {})["data"]["job.json"] != "{}", "the spec")
    api.delete(POLICY, "one-train")
    eventually(lambda: api.get(POLICY, "one-train"), "the policy")
    kubelet.run(pod := api.pod("one"))
    api.wait_for_phase("one", "Running")
    eventually(lambda: api.list(("v1", "Event")), "an Event")
    kubelet.end(pod, 0)
    eventually(lambda: not api.get(RTJ, "one"), "the job's deletion")
