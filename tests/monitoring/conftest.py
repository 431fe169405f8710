"""The real prometheus-operator, where `make test-monitoring` builds it, beside a real API server."""

from __future__ import annotations

import base64
import gzip
import json
import os
import subprocess
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.cluster import conftest as cluster
from tests.cluster.operator_under_test import free_port
from tests.polling import eventually

api_server = cluster.api_server
CHART = Path(__file__).parents[2] / "helm/reasoning-operator"
STATE = Path(os.environ.get("STATE_DIR", Path(__file__).parents[2] / ".state"))
MONITORING = {
    name: {"enabled": True, "labels": {"release": "p"}} for name in ("serviceMonitor", "podMonitor", "alerts")
}
PROMETHEUS = {
    "apiVersion": "monitoring.coreos.com/v1",
    "kind": "Prometheus",
    "metadata": {"name": "all"},
    "spec": {
        # that of Debian's promtool, which reads the configuration
        "version": "v2.42.0",
        **{f"{kind}Selector": {"matchLabels": {"release": "p"}} for kind in ("serviceMonitor", "podMonitor", "rule")},
    },
}


@pytest.fixture(scope="session")
def built() -> Path:
    """The folder with the program and its CRDs."""
    folder = STATE / "monitoring"
    if not (folder / ".done").exists():
        pytest.skip("no prometheus-operator: `make test-monitoring` builds it")
    return folder


@pytest.fixture(scope="session")
def programs() -> Path:
    """The folder with Prometheus and promtool."""
    folder = STATE / "prometheus/usr/bin"
    if not (folder / "promtool").exists():
        pytest.skip("no Prometheus: `make test-watch` gets it")
    return folder


@pytest.fixture(scope="session")
def kubectl(built: Path, api_server: Path, kubectl_of: Callable[..., Any]) -> Any:
    """kubectl on a namespace with the chart's monitors and rules, and a Prometheus that selects them."""
    everywhere = kubectl_of(api_server)
    everywhere("apply", "--server-side", "-f", str(built / "crds"))
    everywhere("wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")
    namespace = f"monitoring-{uuid.uuid4().hex[:6]}"
    everywhere("create", "namespace", namespace)
    here = kubectl_of(api_server, namespace)
    parts = [f"--show-only=templates/{name}.yaml" for name in ("metrics", "alerts", "serviceaccount", "deployment")]
    command = ["helm", "template", "ro", str(CHART), "--namespace", namespace, *parts, "--values", "-"]
    values = json.dumps({"metrics": MONITORING})
    text = subprocess.run(command, input=values, text=True, capture_output=True, check=True).stdout
    here("apply", "--server-side", "--validate=strict", "-f", "-", stdin=text)
    here("apply", "-f", "-", stdin=json.dumps(PROMETHEUS))
    return here


@pytest.fixture(scope="session")
def running(built: Path, api_server: Path, kubectl: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The prometheus-operator at work; its log."""
    log = tmp_path_factory.mktemp("prometheus-operator") / "log"
    command = [str(built / "prometheus-operator"), f"--web.listen-address=127.0.0.1:{free_port()}"]
    environment = os.environ | {"KUBECONFIG": str(api_server)}
    with log.open("wb") as out, subprocess.Popen(command, stdout=out, stderr=out, env=environment) as process:
        try:
            yield log
        finally:
            process.terminate()


@pytest.fixture(scope="session")
def configuration(kubectl: Any, running: Path) -> dict[str, Any]:
    """The configuration that was made."""

    def made() -> str | None:
        answer = kubectl.ask("get", "secret", "prometheus-all", "-o", "json")
        data = json.loads(answer.stdout).get("data", {}) if answer.returncode == 0 else {}
        packed = base64.b64decode(data.get("prometheus.yaml.gz", ""))
        text = gzip.decompress(packed).decode() if packed else ""
        return text if "podMonitor/" in text and "serviceMonitor/" in text else None

    told = eventually(made, lambda: running.read_text("utf-8")[-3000:], 90)
    document: dict[str, Any] = yaml.safe_load(told)
    return document
