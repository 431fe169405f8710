"""The chart: what it renders, what it refuses, and that its rights are those that the operator uses."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from tools.generate.chart import read_values

from reasoning_operator.job_policy import JobPolicy
from reasoning_operator.settings import Settings, read

ROOT = Path(__file__).parents[2]
CHART = ROOT / "helm/reasoning-operator"
TOOLS = Path(os.environ.get("STATE_DIR", ROOT / ".state")) / "localcluster/bin"
HELM = shutil.which("helm", path=f"{TOOLS}{os.pathsep}{os.environ['PATH']}")

pytestmark = pytest.mark.skipif(HELM is None, reason="no helm: `make tools` gets it")
Objects = dict[tuple[str, str], dict[str, Any]]


def helm(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(HELM), *arguments], text=True, capture_output=True, check=False)


@cache
def rendered(values: str, release: str = "ro") -> str:
    """Return what is rendered with some values, in JSON; each is rendered once."""
    command = [str(HELM), "template", release, str(CHART), "--namespace", "system", "--values", "-"]
    answer = subprocess.run(command, input=values, text=True, capture_output=True, check=False)
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


def objects(release: str = "ro", **values: Any) -> Objects:
    documents = filter(None, yaml.safe_load_all(rendered(json.dumps(values), release)))
    return {(each["kind"], each["metadata"]["name"]): each for each in documents}


def deployment(**values: Any) -> dict[str, Any]:
    return objects(**values)["Deployment", "ro-reasoning-operator"]


def pod(**values: Any) -> dict[str, Any]:
    spec: dict[str, Any] = deployment(**values)["spec"]["template"]["spec"]
    return spec


def settings(release: str = "ro", **values: Any) -> Settings:
    """Return the settings that the operator of a release reads."""
    name = release if "reasoning-operator" in release else f"{release}-reasoning-operator"
    spec = objects(release, **values)["Deployment", name]["spec"]["template"]["spec"]
    return read({each["name"]: each["value"] for each in spec["containers"][0]["env"]})


def refusal(values: Any) -> str:
    """Return what is said of values that are refused."""
    command = [str(HELM), "template", "ro", str(CHART), "--values", "-"]
    answer = subprocess.run(command, input=json.dumps(values), text=True, capture_output=True, check=False)
    assert answer.returncode != 0, f"{values} are taken"
    return answer.stderr


def nested(path: tuple[str, ...], value: Any) -> dict[str, Any]:
    return {path[0]: nested(path[1:], value) if path[1:] else value}


@pytest.fixture(scope="module")
def render() -> Callable[..., Objects]:
    def with_flags(*flags: str) -> Objects:
        answer = helm("template", "ro", str(CHART), "--namespace", "system", *flags)
        assert answer.returncode == 0, answer.stderr
        documents = filter(None, yaml.safe_load_all(answer.stdout))
        return {(each["kind"], each["metadata"]["name"]): each for each in documents}

    return with_flags


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
    (container,) = render("--set=watchNamespaces={a,b}")["Deployment", "ro-reasoning-operator"]["spec"]["template"][
        "spec"
    ]["containers"]
    environment = {each["name"]: each["value"] for each in container["env"]}
    settings = read(environment)
    assert settings.namespaces == ("a", "b")
    assert settings.lease_namespace == "system"
    known = {f"REASONING_OPERATOR_{name.upper()}" for name in type(settings).model_fields}
    assert set(environment) <= known


PEER = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}
ALL = {
    "dashboards": {"enabled": True},
    "metrics": {name: {"enabled": True} for name in ("serviceMonitor", "podMonitor", "alerts")},
    "networkPolicy": {"enabled": True},
    "cache": {"enabled": True},
    "replicas": 2,
}
"""Everything that is off unless it is asked for."""
OTHER: dict[str, Any] = {
    "image.repository": "registry.example.com/operator",
    "image.tag": "9",
    "image.digest": f"sha256:{'0' * 64}",
    "image.pullPolicy": "Always",
    "imagePullSecrets": [{"name": "registry"}],
    "replicas": 1,
    "podDisruptionBudget.enabled": False,
    "trainer.image": "t:gpu",
    "trainer.cpuImage": "t:cpu",
    "jobs.defaults": {"pod": {"priorityClassName": "batch"}},
    "jobs.policy": {"images": ["a/*"]},
    "jobs.networkPolicy.from": [PEER],
    "watchNamespaces": ["a"],
    "crds.enabled": False,
    "crds.keep": False,
    "operator.logLevel": "DEBUG",
    "operator.workers": 3,
    "operator.progressIntervalSeconds": 2.5,
    "operator.imagePullDeadlineSeconds": 60,
    "serviceAccount.create": True,
    "serviceAccount.name": "mine",
    "serviceAccount.annotations": {"a": "b"},
    "aggregatedRoles": False,
    "metrics.service.annotations": {"a": "b"},
    "metrics.serviceMonitor.enabled": False,
    "metrics.serviceMonitor.interval": "7s",
    "metrics.serviceMonitor.labels": {"release": "p"},
    "metrics.podMonitor.enabled": False,
    "metrics.podMonitor.interval": "7s",
    "metrics.podMonitor.labels": {"release": "p"},
    "metrics.alerts.enabled": False,
    "metrics.alerts.labels": {"release": "p"},
    "metrics.alerts.runbooks": "https://example.com/runbooks",
    "metrics.keepSeconds": 7,
    "dashboards.enabled": False,
    "dashboards.namespace": "monitoring",
    "dashboards.labels": {"mine": "1"},
    "dashboards.annotations": {"folder": "jobs"},
    "networkPolicy.enabled": False,
    "networkPolicy.metricsFrom": [PEER],
    "networkPolicy.apiServer.cidrs": ["10.0.0.1/32"],
    "networkPolicy.apiServer.ports": [443],
    "networkPolicy.extraEgress": [{"ports": [{"protocol": "TCP", "port": 3128}]}],
    "cache.enabled": False,
    "cache.name": "models",
    "cache.namespaces": ["a"],
    "cache.size": "1Ti",
    "cache.storageClassName": "shared",
    "cache.accessMode": "ReadWriteOnce",
    "resources": {"limits": {"memory": "1Gi"}},
    "podAnnotations": {"a": "b"},
    "podLabels": {"team": "a"},
    "nodeSelector": {"a": "b"},
    "tolerations": [{"key": "a"}],
    "affinity": {"nodeAffinity": {}},
    "priorityClassName": "high",
    "extraEnv": [{"name": "HTTPS_PROXY", "value": "http://proxy"}],
    "extraObjects": [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}}],
}
"""Of each value, another than the default."""
VALUES = [".".join(value.path) for value in read_values((CHART / "values.yaml").read_text(encoding="utf-8"))]


def merged(one: dict[str, Any], two: dict[str, Any]) -> dict[str, Any]:
    both = {key: merged(one[key], two[key]) for key in one.keys() & two.keys() if isinstance(two[key], dict)}
    return one | two | both


@pytest.mark.parametrize("name", VALUES)
def test_every_value_changes_what_is_installed(name: str) -> None:
    if name == "serviceAccount.create":  # what it takes is another value
        assert ("ServiceAccount", "mine") not in objects(serviceAccount={"create": False, "name": "mine"})
        return
    changed = merged(ALL, nested(tuple(name.split(".")), OTHER[name]))
    assert objects(**changed) != objects(**ALL)


@pytest.mark.parametrize("name", VALUES)
def test_value_of_another_type_is_refused_by_name(name: str) -> None:
    wrong = "text" if not isinstance(OTHER[name], str) else ["a list"]
    said = refusal(nested(tuple(name.split(".")), wrong))
    assert f"at '/{name.replace('.', '/')}'" in said
    assert "got " in said


@pytest.mark.parametrize("values", [{}, ALL, {"watchNamespaces": ["a", "b"]}, {"watchNamespaces": ["a"]} | ALL])
def test_every_object_says_whose_it_is_and_no_name_is_given_twice(values: dict[str, Any]) -> None:
    documents = [each for each in yaml.safe_load_all(rendered(json.dumps(values))) if each]
    names = [(each["kind"], each["metadata"].get("namespace"), each["metadata"]["name"]) for each in documents]
    assert len(set(names)) == len(names)
    for each in documents:
        assert each["metadata"]["labels"]["app.kubernetes.io/instance"] == "ro"


def test_one_operator_is_replaced_by_the_next() -> None:
    spec = deployment()["spec"]
    assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})
    assert ("PodDisruptionBudget", "ro-reasoning-operator") not in objects()
    assert "affinity" not in pod()


def test_two_operators_keep_apart_and_are_never_both_stopped() -> None:
    spec = deployment(replicas=2)["spec"]
    assert spec["replicas"] == 2
    assert spec["strategy"] == {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1, "maxSurge": 0}}
    budget = objects(replicas=2)["PodDisruptionBudget", "ro-reasoning-operator"]["spec"]
    assert budget["maxUnavailable"] == 1
    labels = spec["template"]["metadata"]["labels"]
    assert budget["selector"]["matchLabels"].items() <= labels.items()
    (term,) = pod(replicas=2)["affinity"]["podAntiAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"]
    assert term["podAffinityTerm"]["labelSelector"]["matchLabels"].items() <= labels.items()


def test_own_affinity_replaces_that_of_two() -> None:
    assert pod(replicas=2, affinity={"nodeAffinity": {}})["affinity"] == {"nodeAffinity": {}}


@pytest.mark.parametrize("probe", ["livenessProbe", "readinessProbe"])
def test_probes_ask_what_fails_when_a_watch_is_dead(probe: str) -> None:
    (container,) = pod()["containers"]
    assert container[probe]["httpGet"] == {"path": "/healthz", "port": "liveness"}
    assert {"name": "liveness", "containerPort": Settings().liveness_listen_port} in container["ports"]


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ({}, "reasoning-operator:0.1.0"),
        ({"tag": "2"}, "reasoning-operator:2"),
        ({"digest": f"sha256:{'a' * 64}"}, f"reasoning-operator@sha256:{'a' * 64}"),
        ({"repository": "registry.example.com:5000/a/b"}, "registry.example.com:5000/a/b:0.1.0"),
    ],
)
def test_image(image: dict[str, str], expected: str) -> None:
    assert pod(image=image)["containers"][0]["image"] == expected


@pytest.mark.parametrize(
    ("release", "lease"), [("reasoning-operator", "reasoning-operator"), ("a", "a-reasoning-operator")]
)
def test_each_release_has_a_lease_of_its_own(release: str, lease: str) -> None:
    assert settings(release).lease_name == lease


def test_names_fit_where_the_release_has_the_longest() -> None:
    for kind, name in objects("r" * 53, **ALL):
        assert len(name) <= (63 if kind == "Service" else 253), f"{kind} {name}"


@pytest.mark.parametrize("scraped", [True, False])
def test_notes_name_the_metrics_service_and_the_way_to_upgrade(scraped: bool) -> None:
    command = [str(HELM), "install", "ro", str(CHART), "--dry-run=client"]
    command += ["--set", f"metrics.serviceMonitor.enabled={str(scraped).lower()}"]
    environment = os.environ | {"KUBECONFIG": os.devnull}
    said = subprocess.run(command, env=environment, text=True, capture_output=True, check=True).stdout
    (service,) = (name for kind, name in objects() if kind == "Service")
    notes = said.partition("NOTES:")[2]
    assert f"Service {service}." in notes
    assert "--reset-then-reuse-values" in notes
    assert ("Nothing scrapes it yet" in notes) is not scraped


def test_field_that_is_not_built_has_no_default() -> None:
    assert "additional properties 'queue' not allowed" in refusal({"jobs": {"defaults": {"queue": {"name": "team"}}}})


def test_two_releases_share_no_name() -> None:
    one, two = objects("one", crds={"enabled": False}), objects("two", crds={"enabled": False})
    assert not one.keys() & two.keys()


def test_defaults_of_jobs_reach_the_operator() -> None:
    defaults = {
        "pod": {"nodeSelector": {"pool": "gpu"}, "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists"}]},
        "storage": {"cacheClaim": "model-cache"},
        "limits": {"gpuHours": 24, "activeDeadlineSeconds": 2592000},
        "model": {"tokenSecretRef": {"name": "hub", "key": "token"}},
    }
    assert json.loads(settings(jobs={"defaults": defaults}).job_defaults) == defaults
    assert settings().job_defaults == ""


POLICY = {
    "images": ["registry.example.com/*"],
    "volumes": ["emptyDir", "hostPath"],
    "hostPaths": ["/data"],
    "serviceAccounts": [],
    "runtimeClasses": ["gvisor"],
    "priorityClasses": ["batch"],
    "refusedFields": ["env", "affinity"],
    "maxGpusPerNode": 1,
    "openNetwork": False,
    "remoteCode": False,
}


def test_policy_of_jobs_reaches_the_operator_whole() -> None:
    assert settings(jobs={"policy": POLICY}).job_policy == JobPolicy.model_validate(POLICY)
    assert POLICY.keys() == {field.alias for field in JobPolicy.model_fields.values()}
    assert settings().job_policy == JobPolicy()


def test_operator_reaches_jobs_that_only_some_may_reach() -> None:
    peers = json.loads(settings(jobs={"networkPolicy": {"from": [PEER]}}).job_network_peers)
    own, others = peers
    assert others == PEER
    assert own["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": "system"}
    labels = deployment()["spec"]["template"]["metadata"]["labels"]
    assert own["podSelector"]["matchLabels"].items() <= labels.items()
    assert settings().job_network_peers == ""


def test_operator_is_shut_in_by_its_network_policy() -> None:
    policy = objects(networkPolicy={"enabled": True})["NetworkPolicy", "ro-reasoning-operator"]["spec"]
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    probes, scrapes = policy["ingress"]
    assert (probes["ports"][0]["port"], scrapes["ports"][0]["port"]) == ("liveness", "metrics")
    assert "from" not in scrapes
    api_server, jobs = policy["egress"]
    assert [each["port"] for each in api_server["ports"]] == [443, 6443]
    assert "to" not in api_server
    assert jobs["ports"] == [{"protocol": "TCP", "port": 9464}]
    assert ("NetworkPolicy", "ro-reasoning-operator") not in objects()


def test_network_policy_narrows_to_what_it_is_given() -> None:
    given = {
        "enabled": True,
        "metricsFrom": [PEER],
        "apiServer": {"cidrs": ["10.0.0.1/32"], "ports": [8443]},
        "extraEgress": [{"ports": [{"protocol": "TCP", "port": 3128}]}],
    }
    policy = objects(networkPolicy=given)["NetworkPolicy", "ro-reasoning-operator"]["spec"]
    assert policy["ingress"][1]["from"] == [PEER]
    assert policy["egress"][0] == {
        "ports": [{"protocol": "TCP", "port": 8443}],
        "to": [{"ipBlock": {"cidr": "10.0.0.1/32"}}],
    }
    assert policy["egress"][2] == given["extraEgress"][0]  # type: ignore[index]


@pytest.mark.parametrize(
    ("values", "namespaces"),
    [
        ({}, ["system"]),
        ({"watchNamespaces": ["a", "b"]}, ["a", "b"]),
        ({"watchNamespaces": ["a", "b"], "cache": {"namespaces": ["b"]}}, ["b"]),
        ({"cache": {"namespaces": ["a", "c"]}}, ["a", "c"]),
    ],
)
def test_cache_is_a_claim_in_each_namespace_and_is_kept(values: dict[str, Any], namespaces: list[str]) -> None:
    text = rendered(json.dumps(merged(values, {"cache": {"enabled": True, "storageClassName": "shared"}})))
    claims = [each for each in yaml.safe_load_all(text) if each and each["kind"] == "PersistentVolumeClaim"]
    assert [each["metadata"]["namespace"] for each in claims] == namespaces
    for claim in claims:
        assert claim["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}
        assert claim["spec"] == {
            "accessModes": ["ReadWriteMany"],
            "resources": {"requests": {"storage": "200Gi"}},
            "storageClassName": "shared",
        }


def test_extra_objects_know_the_release() -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "{{ .Release.Name }}-extra"}}
    assert ("Secret", "ro-extra") in objects(extraObjects=[secret])


@pytest.mark.parametrize("monitor", ["serviceMonitor", "podMonitor"])
def test_monitors_carry_the_labels_by_which_a_prometheus_selects(monitor: str) -> None:
    kind = monitor[0].upper() + monitor[1:]
    values = {monitor: {"enabled": True, "labels": {"release": "prometheus"}, "interval": "5s"}}
    made = objects(metrics=values)[kind, "ro-reasoning-operator"]
    assert made["metadata"]["labels"]["release"] == "prometheus"
    endpoints = made["spec"].get("endpoints") or made["spec"]["podMetricsEndpoints"]
    assert endpoints[0]["interval"] == "5s"


def test_monitors_look_where_jobs_are() -> None:
    enabled = {"podMonitor": {"enabled": True}}
    name = ("PodMonitor", "ro-reasoning-operator")
    assert objects(metrics=enabled)[name]["spec"]["namespaceSelector"] == {"any": True}
    some = objects(metrics=enabled, watchNamespaces=["a"])[name]["spec"]["namespaceSelector"]
    assert some == {"matchNames": ["a"]}


def test_same_values_render_the_same_twice() -> None:
    """An upgrade to the same version is an empty diff: nothing is drawn by chance."""
    rendered.cache_clear()
    first = rendered(json.dumps(ALL))
    rendered.cache_clear()
    assert rendered(json.dumps(ALL)) == first


def documented() -> list[Any]:
    blocks = re.compile(r"^```yaml\n(# values.*?)^```", re.DOTALL | re.MULTILINE)
    pages = sorted((ROOT / "docs").rglob("*.md"))
    return [(page, text) for page in pages for text in blocks.findall(page.read_text(encoding="utf-8"))]


@pytest.mark.parametrize(("page", "text"), documented(), ids=[page.stem for page, _ in documented()])
def test_values_of_the_documents_are_taken_by_the_chart_and_the_operator(page: Path, text: str) -> None:
    settings(**yaml.safe_load(text))


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"imgae": {"tag": "1"}}, "additional properties 'imgae' not allowed"),
    ({"image": {"pullPolicy": "Sometimes"}}, "at '/image/pullPolicy': value must be one of 'Always'"),
    ({"image": {"repository": ""}}, "at '/image/repository': minLength"),
    ({"image": {"tag": "a b"}}, "at '/image/tag': 'a b' does not match"),
    ({"image": {"digest": "sha256:1"}}, "at '/image/digest': 'sha256:1' does not match"),
    ({"image": {"tag": "1", "digest": f"sha256:{'0' * 64}"}}, "image: give tag or digest, not both"),
    ({"imagePullSecrets": ["registry"]}, "at '/imagePullSecrets/0': got string, want object"),
    ({"imagePullSecrets": [{"nam": "x"}]}, "at '/imagePullSecrets/0'"),
    ({"replicas": 0}, "at '/replicas': minimum: got 0, want 1"),
    ({"replicas": 3}, "at '/replicas': maximum: got 3, want 2"),
    ({"trainer": {"cpuImage": ""}}, "at '/trainer/cpuImage': minLength"),
    ({"watchNamespaces": ["a", "a"]}, "at '/watchNamespaces': items at 0 and 1 are equal"),
    ({"watchNamespaces": ["Team A"]}, "at '/watchNamespaces/0': 'Team A' does not match"),
    ({"crds": {"kept": True}}, "at '/crds': additional properties 'kept' not allowed"),
    ({"operator": {"workers": 0}}, "at '/operator/workers': minimum: got 0, want 1"),
    ({"operator": {"logLevel": "LOUD"}}, "at '/operator/logLevel': value must be one of"),
    ({"operator": {"imagePullDeadlineSeconds": 1}}, "at '/operator/imagePullDeadlineSeconds': minimum: got 1, want 60"),
    ({"serviceAccount": {"create": False}}, "serviceAccount.name: name the ServiceAccount that exists"),
    ({"serviceAccount": {"name": "A B"}}, "at '/serviceAccount/name': 'A B' does not match"),
    (
        {"serviceAccount": {"create": False, "name": "mine", "annotations": {"a": "b"}}},
        "serviceAccount.annotations: have no effect",
    ),
    ({"metrics": {"serviceMonitor": {"interval": "often"}}}, "at '/metrics/serviceMonitor/interval': 'often'"),
    ({"metrics": {"podMonitor": {"labels": {"a": "b c"}}}}, "at '/metrics/podMonitor/labels/a': 'b c' does not match"),
    ({"metrics": {"keepSeconds": -1}}, "at '/metrics/keepSeconds': minimum: got -1, want 0"),
    ({"dashboards": {"enabled": True, "labels": None}}, "dashboards.labels: without one the sidecar finds none"),
    ({"dashboards": {"namespace": "A B"}}, "at '/dashboards/namespace': 'A B' does not match"),
    ({"jobs": None}, "missing property 'jobs'"),
    ({"networkPolicy": {"apiServer": None}}, "at '/networkPolicy': missing property 'apiServer'"),
    ({"networkPolicy": {"metricsFrom": [PEER]}}, "unless networkPolicy.enabled is true"),
    (
        {"networkPolicy": {"enabled": True, "apiServer": {"cidrs": ["10.0.0.1"]}}},
        "at '/networkPolicy/apiServer/cidrs/0'",
    ),
    ({"networkPolicy": {"apiServer": {"ports": []}}}, "at '/networkPolicy/apiServer/ports': minItems"),
    ({"networkPolicy": {"apiServer": {"ports": [0]}}}, "at '/networkPolicy/apiServer/ports/0': minimum"),
    ({"cache": {"namespaces": ["a"]}}, "cache.namespaces: have no effect unless cache.enabled is true"),
    (
        {"watchNamespaces": ["a"], "cache": {"enabled": True, "namespaces": ["b"]}},
        "cache.namespaces: no job of namespace b is run",
    ),
    ({"cache": {"size": "much"}}, "at '/cache/size': 'much' does not match"),
    ({"cache": {"accessMode": "ReadOnlyMany"}}, "at '/cache/accessMode': value must be one of"),
    ({"resources": {"request": {}}}, "at '/resources': additional properties 'request' not allowed"),
    ({"podLabels": {"app.kubernetes.io/name": "x"}}, "podLabels: app.kubernetes.io/name is the chart's own"),
    ({"affinity": {"nodes": {}}}, "at '/affinity': additional properties 'nodes' not allowed"),
    ({"extraEnv": [{"value": "x"}]}, "at '/extraEnv/0': missing property 'name'"),
    ({"extraEnv": [{"name": "REASONING_OPERATOR_WORKERS", "value": "1"}]}, "is made from the chart's values"),
    ({"extraObjects": [{"kind": "Secret"}]}, "at '/extraObjects/0': missing properties 'apiVersion', 'metadata'"),
    ({"jobs": {"default": {}}}, "at '/jobs': additional properties 'default' not allowed"),
    ({"jobs": {"defaults": {"reinforce": {"steps": 1}}}}, "additional properties 'reinforce' not allowed"),
    ({"jobs": {"defaults": {"pod": {"nodeSelectr": {}}}}}, "at '/jobs/defaults/pod': additional properties"),
    ({"jobs": {"defaults": {"storage": {"existingClaim": "a"}}}}, "additional properties 'existingClaim'"),
    ({"jobs": {"defaults": {"limits": {"gpuHours": 0}}}}, "at '/jobs/defaults/limits/gpuHours': exclusiveMinimum"),
    ({"jobs": {"defaults": {"pod": {"tolerations": {"key": "a"}}}}}, "at '/jobs/defaults/pod/tolerations': got object"),
    ({"jobs": {"defaults": {"pod": {"imagePullPolicy": "Often"}}}}, "at '/jobs/defaults/pod/imagePullPolicy'"),
    ({"jobs": {"defaults": {"storage": {"cacheClaim": "A"}}}}, "at '/jobs/defaults/storage/cacheClaim': 'A' does not"),
    ({"jobs": {"policy": {"image": []}}}, "at '/jobs/policy': additional properties 'image' not allowed"),
    ({"jobs": {"policy": {"images": "a/*"}}}, "at '/jobs/policy/images': got string, want array"),
    ({"jobs": {"policy": {"maxGpusPerNode": -1}}}, "at '/jobs/policy/maxGpusPerNode': minimum"),
    ({"jobs": {"policy": {"openNetwork": "no"}}}, "at '/jobs/policy/openNetwork': got string, want boolean"),
    ({"jobs": {"policy": {"hostPaths": ["data"]}}}, "at '/jobs/policy/hostPaths/0': 'data' does not match"),
    ({"jobs": {"policy": {"hostPaths": ["/data"]}}}, "jobs.policy.hostPaths: has no effect unless"),
    ({"jobs": {"policy": {"volumes": ["hostPath"]}}}, "jobs.policy.volumes: has hostPath: name the folders"),
    ({"jobs": {"policy": {"volumes": ["Empty Dir"]}}}, "at '/jobs/policy/volumes/0': 'Empty Dir' does not match"),
    ({"jobs": {"policy": {"refusedFields": ["colour"]}}}, "at '/jobs/policy/refusedFields/0'"),
    ({"jobs": {"networkPolicy": {"from": [1]}}}, "at '/jobs/networkPolicy/from/0': got number, want object"),
]


@pytest.mark.parametrize(("values", "says"), REFUSED, ids=[json.dumps(values)[:60] for values, _ in REFUSED])
def test_values_that_make_no_sense_are_refused_with_what_to_do(values: dict[str, Any], says: str) -> None:
    assert says in refusal(values)
