"""`rtj` against a real API server, with the rights of the roles view and edit and no others."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml
from kubernetes import client, config
from tests.cluster.operator_under_test import CLAIM, POD, ROOT, RTJ, Api, install_crd, manifest
from tests.cluster.test_chart_rights import tool
from tests.polling import eventually

ENVIRONMENT = {"PYTHONPATH": os.pathsep.join(str(ROOT / name) for name in ("client", "trainer_image"))}
STATUS = {
    "phase": "Succeeded",
    "observedGeneration": 1,
    "storage": {"claimName": "one-output", "path": "one-12345678"},
    "artifacts": [{"kind": "lora", "path": "/output/one-12345678/artifacts/lora", "sha256": "0" * 64, "bytes": 1}],
    "evaluation": {
        "heldOut": {
            "size": 200,
            "base": {"accuracy": 0.1, "ci95": [0.07, 0.15], "format": 0.5, "meanLength": 40.0},
            "reinforce": {"accuracy": 0.5, "ci95": [0.43, 0.57], "format": 0.9, "meanLength": 30.0},
        },
        "finalAccuracy": 0.5,
        "improvement": 0.4,
        "pValue": 1e-9,
    },
}


class Done(NamedTuple):
    code: int
    out: str
    err: str


class Person:
    """Somebody with a kubeconfig of their own."""

    def __init__(self, kubeconfig: Path) -> None:
        self._kubeconfig = kubeconfig

    def rtj(self, *words: str | Path, stdin: str = "") -> Done:
        command = [sys.executable, "-m", "reasoning_client", *map(str, words)]
        environment = os.environ | ENVIRONMENT | {"KUBECONFIG": str(self._kubeconfig)}
        done = subprocess.run(command, env=environment, input=stdin, capture_output=True, text=True, check=False)
        return Done(done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="module")
def api(api_server: Path) -> Iterator[Api]:
    """A namespace with a job that succeeded, one that failed and one that nobody has looked at."""
    install_crd(api_server)
    name = f"rtj-{uuid.uuid4().hex[:6]}"
    everywhere = Api(api_server, "default")
    labels = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn")}
    everywhere.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})
    api = Api(api_server, name)
    for job in ("one", "two", "three"):
        api.create(manifest(job))
    api.patch(RTJ, "one", {"status": STATUS}, "status")
    failure = {"reason": "DataInvalid", "message": "there is no column answer", "hint": "name the column"}
    api.patch(RTJ, "two", {"status": {"phase": "Failed", "observedGeneration": 1, "failure": failure}}, "status")
    yield api
    everywhere.delete(("v1", "Namespace"), name)


@pytest.fixture(scope="module")
def roles(api_server: Path) -> Iterator[None]:
    """The chart's aggregated roles, taken up by view and edit."""
    chart = ROOT / "helm/reasoning-operator"
    documents = yaml.safe_load_all(tool("helm", "template", "rtj", chart, "--show-only=templates/rbac.yaml"))
    kept = [each for each in documents if each and each["metadata"]["name"].endswith(("-view", "-edit"))]
    text = yaml.safe_dump_all(kept)
    tool("kubectl", "--kubeconfig", api_server, "apply", "-f", "-", stdin=text)
    authorization = client.RbacAuthorizationV1Api(config.new_client_from_config(str(api_server)))

    def aggregated() -> bool:
        rules = [authorization.read_cluster_role(name).rules or [] for name in ("view", "edit")]
        return all(any("reasoning-operator.io" in (rule.api_groups or []) for rule in each) for each in rules)

    eventually(aggregated, "the aggregated roles")
    yield
    tool("kubectl", "--kubeconfig", api_server, "delete", "--ignore-not-found", "-f", "-", stdin=text)


def person(admin: Path, api: Api, role: str, folder: Path) -> Person:
    """Return somebody who has one role in the namespace: a ServiceAccount's token and nothing else."""
    name = f"{role}er"
    api.create({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}})
    group = "rbac.authorization.k8s.io"
    binding = {
        "apiVersion": f"{group}/v1",
        "kind": "RoleBinding",
        "metadata": {"name": name},
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": role},
        "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": api.namespace}],
    }
    api.create(binding)
    core = client.CoreV1Api(config.new_client_from_config(str(admin)))
    request = client.AuthenticationV1TokenRequest(spec=client.V1TokenRequestSpec(audiences=[]))
    token = core.create_namespaced_service_account_token(name, api.namespace, request).status.token
    document = yaml.safe_load(admin.read_text("utf-8"))
    for user in document["users"]:
        user["user"] = {"token": token}
    for context in document["contexts"]:
        context["context"]["namespace"] = api.namespace
    path = folder / "kubeconfig"
    path.write_text(yaml.safe_dump(document), "utf-8")
    return Person(path)


@pytest.fixture(scope="module")
def viewer(api_server: Path, api: Api, roles: None, tmp_path_factory: pytest.TempPathFactory) -> Person:
    return person(api_server, api, "view", tmp_path_factory.mktemp("viewer"))


@pytest.fixture(scope="module")
def editor(api_server: Path, api: Api, roles: None, tmp_path_factory: pytest.TempPathFactory) -> Person:
    return person(api_server, api, "edit", tmp_path_factory.mktemp("editor"))


def test_list_shows_the_jobs_of_the_contexts_namespace(viewer: Person) -> None:
    done = viewer.rtj("list")
    assert done.code == 0, done.err
    lines = {line.split()[0]: line for line in done.out.splitlines()}
    assert lines.keys() == {"NAME", "one", "two", "three"}
    assert "Succeeded" in lines["one"]
    assert "0.5" in lines["one"]
    assert "DataInvalid" in lines["two"]
    names = [job["metadata"]["name"] for job in json.loads(viewer.rtj("list", "-o", "json").out)]
    assert sorted(names) == ["one", "three", "two"]
    assert len(yaml.safe_load(viewer.rtj("list", "-o", "yaml").out)) == 3


def test_list_of_all_namespaces_names_the_right_that_is_missing(viewer: Person) -> None:
    done = viewer.rtj("list", "-A")
    assert done.code == 5
    assert "role view in every namespace" in done.err


def test_watch_ends_with_the_job_and_tells_how_it_ended(viewer: Person) -> None:
    assert viewer.rtj("watch", "one").code == 0
    failed = viewer.rtj("watch", "two")
    assert failed.code == 7
    assert "there is no column answer; name the column" in failed.out
    late = viewer.rtj("watch", "three", "--timeout", "1")
    assert late.code == 9
    assert "had not ended" in late.err


def test_watch_follows_changes(viewer: Person, api: Api) -> None:
    api.create(manifest("followed"))
    environment = os.environ | ENVIRONMENT | {"KUBECONFIG": str(viewer._kubeconfig)}
    command = [sys.executable, "-u", "-m", "reasoning_client", "watch", "followed"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline().startswith("Pending")
        api.patch(RTJ, "followed", {"status": {"phase": "Starting"}}, "status")
        assert process.stdout.readline().startswith("Starting")
        api.patch(RTJ, "followed", {"status": {"phase": "Succeeded"}}, "status")
        assert process.wait(30) == 0


def test_why_says_what_to_do(viewer: Person) -> None:
    done = viewer.rtj("why", "two")
    assert done.code == 0, done.err
    assert "it failed: DataInvalid" in done.out
    assert "name the column" in done.out
    assert json.loads(viewer.rtj("why", "one", "-o", "json").out)[0]["level"] == "ok"


def test_compare_tells_figures_and_fields(viewer: Person) -> None:
    done = viewer.rtj("compare", "one", "two")
    assert done.code == 0, done.err
    assert "0.500 (0.430 to 0.570)" in done.out
    assert "nothing to compare" in done.out


def test_logs_without_a_pod_say_where_else_to_look(viewer: Person) -> None:
    done = viewer.rtj("logs", "one")
    assert done.code == 3
    assert "has no pod" in done.err


def test_version_compares_the_schema_that_every_user_may_read(viewer: Person) -> None:
    found = json.loads(viewer.rtj("version", "-o", "json").out)
    assert found["CRD"]["fits"] is True, found
    assert found["operator"]["fits"] is None
    assert "role view in every namespace" in found["operator"]["note"]


@pytest.mark.parametrize("words", [["suspend"], ["resume"], ["retry"], ["cancel", "-y"]], ids=lambda words: words[0])
def test_who_only_views_changes_nothing_and_is_told_the_role(viewer: Person, words: list[str]) -> None:
    done = viewer.rtj(*words, "two")
    assert done.code == 5
    assert "role edit" in done.err


@pytest.mark.parametrize("command", ["download", "report", "samples"])
def test_who_only_views_starts_no_pod_and_is_told_the_role(viewer: Person, command: str) -> None:
    done = viewer.rtj(command, "one", "--image", "python:3.12-slim")
    assert done.code == 5
    assert "role edit" in done.err


def test_a_job_that_is_not_there_is_told_so(viewer: Person) -> None:
    done = viewer.rtj("why", "nobody")
    assert done.code == 3
    assert "there is no ReasoningTrainingJob nobody" in done.err


def test_edit_applies_a_manifest_and_takes_the_job_through_its_life(editor: Person, api: Api, tmp_path: Path) -> None:
    path = tmp_path / "job.yaml"
    config_map = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "rows"}, "data": {"a": "b"}}
    path.write_text(yaml.safe_dump_all([config_map, manifest("mine")]))
    dry = editor.rtj("apply", path, "--dry-run")
    assert (dry.code, api.get(RTJ, "mine")) == (0, None), dry.err
    done = editor.rtj("apply", path)
    assert done.code == 0, done.err
    assert api.get(("v1", "ConfigMap"), "rows")
    assert editor.rtj("suspend", "mine").code == 0
    assert (api.get(RTJ, "mine") or {})["spec"]["suspend"] is True
    assert editor.rtj("resume", "mine").code == 0
    assert (api.get(RTJ, "mine") or {})["spec"]["suspend"] is False
    assert editor.rtj("retry", "mine").code == 10
    api.patch(RTJ, "mine", {"status": {"phase": "Failed"}}, "status")
    assert editor.rtj("retry", "mine").code == 0
    assert (api.get(RTJ, "mine") or {})["metadata"]["annotations"]["reasoning-operator.io/retry"]
    kept = editor.rtj("cancel", "mine", "--yes")
    assert kept.code == 0, kept.err
    eventually(lambda: api.get(RTJ, "mine") is None, "the deletion")


def test_a_manifest_that_is_not_valid_never_reaches_the_cluster(editor: Person, api: Api, tmp_path: Path) -> None:
    path = tmp_path / "job.yaml"
    path.write_text(yaml.safe_dump(manifest("bad", lora={"rank": 0})))
    done = editor.rtj("apply", path)
    assert done.code == 64
    assert "spec.lora.rank" in done.err
    assert api.get(RTJ, "bad") is None


def test_the_readers_pod_meets_restricted_and_is_deleted(editor: Person, api: Api) -> None:
    """There is no node here: the pod is admitted, waits, and goes when the reader is told to stop."""
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    api.create({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "one-output"}, "spec": claim})
    assert api.get(CLAIM, "one-output")
    environment = os.environ | ENVIRONMENT | {"KUBECONFIG": str(editor._kubeconfig)}
    command = [sys.executable, "-m", "reasoning_client", "samples", "one", "--image", "python:3.12-slim"]
    # what runs in the background of a shell ignores Ctrl-C, and hands that on
    heed = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True, preexec_fn=heed) as process:
        (pod,) = eventually(lambda: api.list(POD, "app.kubernetes.io/name=reasoning-reader"), "the reader's pod")
        assert pod["metadata"]["ownerReferences"][0]["name"] == "one"
        process.send_signal(signal.SIGINT)
        process.wait(30)
    eventually(lambda: not api.list(POD, "app.kubernetes.io/name=reasoning-reader"), "the deletion")


def test_without_the_crd_the_chart_is_named(api_server: Path, tmp_path: Path) -> None:
    """An API server that does not know the kind answers as this one does for a version that it lacks."""
    code = "import reasoning_contract.api as api; api.VERSION = 'v9'\nfrom reasoning_client.cli.main import run\nrun()"
    environment = os.environ | ENVIRONMENT | {"KUBECONFIG": str(api_server)}
    done = subprocess.run(
        [sys.executable, "-c", code, "list"], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 6
    assert "install the chart" in done.stderr
