"""The chart: what it renders, what it refuses, and that its rights are those that the operator uses."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
CHART = ROOT / "helm/reasoning-operator"
TOOLS = Path(os.environ.get("STATE_DIR", ROOT / ".state")) / "localcluster/bin"
HELM = shutil.which("helm", path=f"{TOOLS}{os.pathsep}{os.environ['PATH']}")

pytestmark = pytest.mark.skipif(HELM is None, reason="no helm: `make tools` gets it")
Objects = dict[tuple[str, str], dict[str, Any]]


def helm(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(HELM), *arguments], text=True, capture_output=True, check=False)


@pytest.fixture(scope="module")
def render() -> Callable[..., Objects]:
    def rendered(*flags: str) -> Objects:
        answer = helm("template", "ro", str(CHART), "--namespace", "system", *flags)
        assert answer.returncode == 0, answer.stderr
        documents = filter(None, yaml.safe_load_all(answer.stdout))
        return {(each["kind"], each["metadata"]["name"]): each for each in documents}

    return rendered


def test_lint_finds_nothing() -> None:
    assert helm("lint", "--strict", str(CHART)).returncode == 0


def test_crd_is_the_generated_one_and_is_kept(render: Callable[..., Objects]) -> None:
    name = "reasoningtrainingjobs.reasoning-operator.io"
    crd = render()["CustomResourceDefinition", name]
    generated = yaml.safe_load((ROOT / "crds/reasoningtrainingjobs.yaml").read_text())
    assert crd["spec"] == generated["spec"]
    assert crd["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}
    assert not render("--set=crds.keep=false")["CustomResourceDefinition", name]["metadata"].get("annotations")
    assert ("CustomResourceDefinition", name) not in render("--set=crds.enabled=false")


def rules(objects: Objects) -> list[dict[str, Any]]:
    return [rule for (kind, _), each in objects.items() if kind in ("Role", "ClusterRole") for rule in each["rules"]]


@pytest.mark.parametrize("flags", [(), ("--set=watchNamespaces={a,b}",)])
def test_no_right_is_a_wildcard(render: Callable[..., Objects], flags: tuple[str, ...]) -> None:
    for rule in rules(render(*flags)):
        assert not {"*"} & {*rule["apiGroups"], *rule["resources"], *rule["verbs"]}


def test_watched_namespaces_get_roles_and_no_cluster_role_rules_jobs(render: Callable[..., Objects]) -> None:
    objects = render("--set=watchNamespaces={a,b}", "--set=aggregatedRoles=false")
    assert not [key for key in objects if key[0] == "ClusterRole"]
    text = helm("template", "ro", str(CHART), "--set=watchNamespaces={a,b}").stdout
    roles = [each for each in yaml.safe_load_all(text) if each and each["kind"] == "Role"]
    assert {role["metadata"].get("namespace") for role in roles} == {"a", "b", None}


def test_series_keep_the_namespace_of_their_job(render: Callable[..., Objects]) -> None:
    monitor = render("--set=metrics.serviceMonitor.enabled=true")["ServiceMonitor", "ro-reasoning-operator"]
    assert monitor["spec"]["endpoints"] == [{"port": "metrics", "interval": "30s", "honorLabels": True}]


def test_operator_is_not_root_and_cannot_write_its_root(render: Callable[..., Objects]) -> None:
    pod = render()["Deployment", "ro-reasoning-operator"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert "livenessProbe" in container


def test_settings_reach_the_operator_under_names_that_it_knows(render: Callable[..., Objects]) -> None:
    from reasoning_operator.settings import read

    (container,) = render("--set=watchNamespaces={a,b}")["Deployment", "ro-reasoning-operator"]["spec"]["template"][
        "spec"
    ]["containers"]
    environment = {each["name"]: each["value"] for each in container["env"]}
    settings = read(environment)
    assert settings.namespaces == ("a", "b")
    assert settings.lease_namespace == "system"
    known = {f"REASONING_OPERATOR_{name.upper()}" for name in type(settings).model_fields}
    assert set(environment) <= known


@pytest.mark.parametrize(
    "flag",
    [
        "imgae.tag=1",
        "image.pullPolicy=Sometimes",
        "operator.workers=0",
        "crds.kept=true",
        "metrics.serviceMonitor.interval=often",
        "trainer.cpuImage=",
    ],
)
def test_values_that_the_chart_does_not_know_are_refused(flag: str) -> None:
    answer = helm("template", "ro", str(CHART), "--set", flag)
    assert answer.returncode != 0
    assert flag.split("=")[0].split(".")[0] in answer.stderr
