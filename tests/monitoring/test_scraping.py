"""A real operator at a real API server, scraped by a real Prometheus, as the prometheus-operator configured it.

What is faked: the kubelet and the trainer, which plays a recorded run back, and Prometheus' discovery of Kubernetes.
Every dashboard is drawn from what Prometheus has then, into `pictures/` of the state's folder.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from tests.cluster.operator_under_test import (
    Api,
    FakeKubelet,
    FakeTrainer,
    Operator,
    install_crd,
    manifest,
    running,
)
from tests.monitoring.conftest import CHART, STATE
from tests.monitoring.discovery import targets
from tests.polling import eventually
from tests.watch import drawing
from tests.watch.prometheus import Prometheus

from reasoning_contract.exit_codes import ExitCode
from reasoning_contract.outcome import Outcome
from reasoning_contract.progress import Progress

BOARDS = sorted((CHART / "files/dashboards").glob("*.json"))
RUN = CHART.parents[1] / "tests/watch/run.jsonl"
PLAYED_SECONDS = 2
"""How long a report of the recorded run is shown: Prometheus looks once a second."""
LAST_SECONDS = 12
"""How long the last one is."""


class Scene(NamedTuple):
    """What was played, and who has seen it."""

    prometheus: Prometheus
    start: float
    end: float


class Discovery:
    """Writes the targets of every scrape to the files that Prometheus reads them from."""

    def __init__(self, configuration: dict[str, Any], folder: Path, kubectl: Any) -> None:
        self.listening: dict[str, str] = {}
        self._folder, self._kubectl = folder, kubectl
        self._roles: dict[Path, str] = {}
        self.scrapes = [self._by_file(each) for each in configuration["scrape_configs"]]

    def _by_file(self, scrape: dict[str, Any]) -> dict[str, Any]:
        (asked,) = scrape["kubernetes_sd_configs"]
        path = self._folder / f"{len(self._roles)}.json"
        self._roles[path] = asked["role"]
        rest = {name: value for name, value in scrape.items() if name != "kubernetes_sd_configs"}
        # what the pod of a Prometheus has its own number put in for: it takes a share of the targets
        rest = json.loads(json.dumps(rest).replace("$(SHARD)", "0"))
        # the picture of some minutes needs points of seconds
        pace = {"scrape_interval": "1s", "scrape_timeout": "1s"}
        return rest | pace | {"file_sd_configs": [{"files": [str(path)], "refresh_interval": "1s"}]}

    def look(self) -> None:
        """Look at the API server again."""
        pods, services = (
            json.loads(self._kubectl("get", kind, "--all-namespaces", "-o", "json"))["items"]
            for kind in ("pods", "services")
        )
        for path, role in self._roles.items():
            partial = path.with_suffix(".partial")
            partial.write_text(json.dumps(targets(role, pods, services, self.listening)))
            partial.rename(path)


@pytest.fixture(scope="module")
def operator(api_server: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operator]:
    install_crd(api_server)
    with running(Operator(api_server, tmp_path_factory.mktemp("operator") / "log")) as operator:
        yield operator
    assert not operator.broken()


@pytest.fixture(scope="module")
def discovery(
    configuration: dict[str, Any], kubectl: Any, operator: Operator, tmp_path_factory: pytest.TempPathFactory
) -> Discovery:
    """The targets; the first is the pod of the chart's Deployment, whose process is the operator under test."""
    found = Discovery(configuration, tmp_path_factory.mktemp("targets"), kubectl)

    def pods() -> list[Any]:
        selector = "app.kubernetes.io/name=reasoning-operator"
        return list(json.loads(kubectl("get", "pods", "-l", selector, "-o", "json"))["items"])

    (pod,) = eventually(pods, "the operator's pod")
    found.listening[pod["metadata"]["name"]] = f"127.0.0.1:{operator.metrics_port}"
    found.look()
    return found


@pytest.fixture(scope="module")
def prometheus(
    configuration: dict[str, Any],
    discovery: Discovery,
    kubectl: Any,
    programs: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Prometheus]:
    """A Prometheus with the configuration and the rules that the prometheus-operator made."""
    folder = tmp_path_factory.mktemp("prometheus")
    maps = json.loads(kubectl("get", "configmaps", "-o", "json"))["items"]
    for each in maps:
        if "prometheus-all-rulefiles" in each["metadata"]["name"]:
            for name, text in each["data"].items():
                (folder / name).write_text(text)
    pace = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    settings = configuration | {
        "global": {**configuration["global"], **pace},
        "scrape_configs": discovery.scrapes,
        "rule_files": [f"{folder}/*.yaml"],
    }
    process = Prometheus(programs / "prometheus", folder, settings)
    yield process
    process.close()


@pytest.fixture(scope="module")
def scene(api_server: Path, discovery: Discovery, prometheus: Prometheus, operator: Operator) -> Iterator[Scene]:
    """A run from its first report to its last, beside a job that waits, one that failed, one refused and one done."""
    start = time.time()
    research, evals = (_namespace(api_server, name) for name in ("research", "evals"))
    reports = [Progress.model_validate_json(line) for line in RUN.read_text("utf-8").splitlines()]
    kubelet = FakeKubelet(evals)
    evals.create(manifest("too-large"))
    failed = "the kernel's memory killer ended the trainer at step 12"
    kubelet.say(evals.pod("too-large"), Outcome(exit_code=ExitCode.OUT_OF_MEMORY, reason="OutOfMemory", message=failed))
    evals.create(manifest("queued", queue={"name": "team"}))
    evals.create(manifest("parity"))
    ended = Progress.model_validate_json(RUN.with_name("ended.json").read_text("utf-8"))
    kubelet.say(evals.pod("parity"), Outcome(exit_code=0, reason="Completed", message="done", progress=ended))
    research.create(manifest("waits"))
    trainer = FakeTrainer("127.0.9.1")
    try:
        _play(research, trainer, reports, discovery)
        yield Scene(prometheus, start, time.time())
    finally:
        trainer.close()


def _namespace(kubeconfig: Path, name: str) -> Api:
    Api(kubeconfig, "default").create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    return Api(kubeconfig, name)


def _play(api: Api, trainer: FakeTrainer, reports: list[Progress], discovery: Discovery) -> None:
    """Play a run back, in a new pod for each of its attempts."""
    kubelet, attempt, pod = FakeKubelet(api), 0, {}
    api.create(manifest("sums", model={"source": "file:///models/tiny-sums"}))
    for report in reports:
        if report.attempt != attempt:
            if pod:
                kubelet.say(pod, Outcome(exit_code=ExitCode.INTERRUPTED, reason="Interrupted", message="node drained"))
            pod, attempt = api.pod("sums"), report.attempt
            kubelet.run(pod, trainer.address)
            discovery.listening[pod["metadata"]["name"]] = f"{trainer.address}:9464"
            discovery.look()
        trainer.document = report
        # Prometheus looks once a second: the run is played back for it
        time.sleep(PLAYED_SECONDS if report is not reports[-1] else LAST_SECONDS)


def test_targets_are_up(scene: Scene) -> None:
    active = scene.prometheus.get("targets?state=active")["activeTargets"]
    assert {each["health"] for each in active} == {"up"}, [each["lastError"] for each in active]
    assert {each["scrapePool"].split("/")[0] for each in active} == {"serviceMonitor", "podMonitor"}


def test_series_of_operator_and_pod_carry_the_namespace_and_name_of_their_job(scene: Scene) -> None:
    found = scene.prometheus.ask("reasoning_job_reward", scene.end, scene.end)
    labels = [each["metric"] for each in found if each["metric"]["name"] == "sums"]
    assert {each["namespace"] for each in labels} == {"research"}
    assert len({each["job"] for each in labels}) == 2, "one from the operator, one from the pod"
    assert not [name for each in found for name in each["metric"] if name.startswith("exported_")]


def test_memory_of_the_operator_is_not_that_of_a_training_pod(scene: Scene) -> None:
    found = scene.prometheus.ask("process_resident_memory_bytes", scene.end, scene.end)
    assert len(found) == 2
    (board,) = (json.loads(each.read_text("utf-8")) for each in BOARDS if each.stem == "operator")
    (panel,) = (each for each in board["panels"] if each["title"] == "Memory")
    shown = panel["targets"][0]["expr"].removeprefix("max(").removesuffix(")")
    (own,) = scene.prometheus.ask(shown, scene.end, scene.end)
    assert own["metric"]["service"].endswith("-metrics")


def test_every_rule_is_at_work_and_the_failed_job_is_told(scene: Scene) -> None:
    def firing() -> list[dict[str, str]]:
        return [each["labels"] for each in scene.prometheus.get("alerts")["alerts"] if each["state"] == "firing"]

    told = eventually(lambda: [e for e in firing() if e["alertname"] == "ReasoningJobFailed"], "the alert")
    failed = {(each["namespace"], each["name"], each["reason"]) for each in told}
    assert failed == {("evals", "too-large", "OutOfMemory"), ("evals", "queued", "NotSupported")}
    rules = [rule for group in scene.prometheus.get("rules")["groups"] for rule in group["rules"]]
    own = yaml.safe_load((CHART / "files/alerts.yaml").read_text("utf-8"))
    assert len(rules) == sum(len(group["rules"]) for group in own["groups"])
    assert {(rule["name"], rule["health"]) for rule in rules if rule["health"] != "ok"} == set()


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.stem)
def test_every_panel_is_drawn(board: Path, scene: Scene) -> None:
    document = json.loads(board.read_text("utf-8"))
    variables = {"namespace": ".+" if board.stem == "fleet" else "research", "name": "sums"}
    picture = drawing.draw(document, scene.prometheus.ask, variables, scene.start, scene.end)
    pictures = STATE / "pictures"
    pictures.mkdir(parents=True, exist_ok=True)
    (pictures / f"{board.stem}.svg").write_text(picture, "utf-8")
    assert drawing.NO_DATA not in picture
