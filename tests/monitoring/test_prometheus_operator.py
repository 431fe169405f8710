"""What the prometheus-operator makes of the chart's monitors and rules: the configuration of a Prometheus.

There is no node: the Prometheus that it asks for is not started. `test_scraping.py` starts one with the configuration.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.polling import eventually

ROOT = Path(__file__).parents[2]
CHART = ROOT / "helm/reasoning-operator"


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


def test_a_prometheus_takes_the_configuration(configuration: dict[str, Any], programs: Path, tmp_path: Path) -> None:
    # Debian's is built without the discovery of Kubernetes
    scrapes = [
        {name: value for name, value in each.items() if name != "kubernetes_sd_configs"}
        for each in configuration["scrape_configs"]
    ]
    path = tmp_path / "prometheus.yaml"
    path.write_text(yaml.safe_dump(configuration | {"scrape_configs": scrapes}), "utf-8")
    answer = subprocess.run(
        [programs / "promtool", "check", "config", path], text=True, capture_output=True, check=False
    )
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
