"""What the prometheus-operator makes of the chart's monitors and rules: the configuration of a Prometheus.

There is no node: the Prometheus that it asks for is not started. tests/watch has one that scrapes.
"""

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
from tests.cluster.operator_under_test import free_port
from tests.polling import eventually

ROOT = Path(__file__).parents[2]
CHART = ROOT / "helm/reasoning-operator"
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


@pytest.fixture(scope="module")
def kubectl(built: Path, api_server: Path, kubectl_of: Callable[..., Any]) -> Any:
    """kubectl on a namespace with the chart's monitors and rules, and a Prometheus that selects them."""
    everywhere = kubectl_of(api_server)
    everywhere("apply", "--server-side", "-f", str(built / "crds"))
    everywhere("wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")
    namespace = f"monitoring-{uuid.uuid4().hex[:6]}"
    everywhere("create", "namespace", namespace)
    here = kubectl_of(api_server, namespace)
    parts = [f"--show-only=templates/{name}.yaml" for name in ("metrics", "alerts")]
    command = ["helm", "template", "ro", str(CHART), "--namespace", namespace, *parts, "--values", "-"]
    values = json.dumps({"metrics": MONITORING})
    text = subprocess.run(command, input=values, text=True, capture_output=True, check=True).stdout
    here("apply", "--server-side", "--validate=strict", "-f", "-", stdin=text)
    here("apply", "-f", "-", stdin=json.dumps(PROMETHEUS))
    return here


@pytest.fixture(scope="module")
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


@pytest.fixture(scope="module")
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


def scrape(configuration: dict[str, Any], kind: str) -> dict[str, Any]:
    (found,) = (each for each in configuration["scrape_configs"] if each["job_name"].startswith(f"{kind}/"))
    return dict(found)


def test_operator_is_scraped_and_its_series_keep_the_namespace_of_their_job(configuration: dict[str, Any]) -> None:
    found = scrape(configuration, "serviceMonitor")
    assert (found["honor_labels"], found["scrape_interval"]) == (True, "30s")
    kept = [rule for rule in found["relabel_configs"] if rule.get("action") == "keep"]
    assert any("metrics" in str(rule["regex"]) for rule in kept), "the port of that name"


def test_training_pods_are_scraped_under_their_jobs_name(configuration: dict[str, Any]) -> None:
    found = scrape(configuration, "podMonitor")
    assert found["kubernetes_sd_configs"][0]["role"] == "pod"
    assert "namespaces" not in found["kubernetes_sd_configs"][0], "of every namespace"
    named = [rule for rule in found["relabel_configs"] if rule.get("target_label") == "name"]
    assert [rule["source_labels"] for rule in named] == [["__meta_kubernetes_pod_label_reasoning_operator_io_job"]]


def test_a_prometheus_takes_the_configuration(configuration: dict[str, Any], promtool: Path, tmp_path: Path) -> None:
    # Debian's is built without the discovery of Kubernetes
    scrapes = [
        {name: value for name, value in each.items() if name != "kubernetes_sd_configs"}
        for each in configuration["scrape_configs"]
    ]
    path = tmp_path / "prometheus.yaml"
    path.write_text(yaml.safe_dump(configuration | {"scrape_configs": scrapes}), "utf-8")
    answer = subprocess.run([promtool, "check", "config", path], text=True, capture_output=True, check=False)
    assert answer.returncode == 0, answer.stderr


def test_every_alert_is_among_the_rules(configuration: dict[str, Any], kubectl: Any) -> None:
    def rules() -> list[Any] | None:
        found = json.loads(kubectl("get", "configmaps", "-o", "json"))["items"]
        files = [each["data"] for each in found if "prometheus-all-rulefiles" in each["metadata"]["name"]]
        return [yaml.safe_load(text) for data in files for text in data.values()] or None

    alerts = {
        rule["alert"] for file in eventually(rules, "rules") for group in file["groups"] for rule in group["rules"]
    }
    own = yaml.safe_load((CHART / "files/alerts.yaml").read_text("utf-8"))
    assert alerts == {rule["alert"] for group in own["groups"] for rule in group["rules"]}
    assert configuration["rule_files"]


@pytest.mark.parametrize("kind", ["ServiceMonitor", "PodMonitor"])
def test_interval_that_is_none_is_refused_by_its_crd(kubectl: Any, kind: str) -> None:
    endpoints = "endpoints" if kind == "ServiceMonitor" else "podMetricsEndpoints"
    spec = {"selector": {}, endpoints: [{"port": "metrics", "interval": "often"}]}
    bad = {"apiVersion": "monitoring.coreos.com/v1", "kind": kind, "metadata": {"name": "bad"}, "spec": spec}
    answer = kubectl.ask("apply", "-f", "-", stdin=json.dumps(bad))
    assert answer.returncode != 0
    assert "interval" in answer.stderr
