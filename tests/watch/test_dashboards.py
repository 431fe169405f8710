"""Every query of every panel is asked of a real Prometheus that has scraped a real run: none is empty."""

from __future__ import annotations

import json
import re
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import REGISTRY, start_http_server
from tests.cluster.operator_under_test import free_port
from tests.polling import eventually

from reasoning_contract.job_status import Status
from reasoning_contract.progress import Progress
from reasoning_contract.series import SERIES
from reasoning_operator import metrics
from reasoning_operator.model import Key

BOARDS = sorted((Path(__file__).parents[2] / "helm/reasoning-operator/files/dashboards").glob("*.json"))
RUN = Path(__file__).with_name("run.jsonl")
"""The reports of a real run on a CPU, as /progress gave them: warm-up and GRPO on a tiny model."""
NOT_ON_A_CPU = {"GPU busy": "a CPU run has no GPU", "GPUs in use, by namespace": "a CPU run spends no GPU time"}
VARIABLES = {"$namespace": "team-a", "$name": "parity"}
EMPTY_HERE = {
    "reasoning_job_gpu_memory_bytes",
    "reasoning_job_importance_ratio",
    "reasoning_job_unscored_completions_total",
}


def queries(board: Path) -> Iterator[tuple[str, str]]:
    for panel in json.loads(board.read_text(encoding="utf-8"))["panels"]:
        for target in panel.get("targets", []):
            yield panel["title"], target["expr"]


def every_query() -> list[tuple[str, str, str]]:
    return [(board.stem, *query) for board in BOARDS for query in queries(board)]


class Prometheus:
    def __init__(self, program: Path, folder: Path, target: int) -> None:
        self.port = free_port()
        scrape = {
            "job_name": "reasoning-operator",
            "honor_labels": True,
            "static_configs": [{"targets": [f"127.0.0.1:{target}"]}],
        }
        settings = {"global": {"scrape_interval": "1s", "scrape_timeout": "1s"}, "scrape_configs": [scrape]}
        (folder / "prometheus.yml").write_text(json.dumps(settings))
        self._process = subprocess.Popen(
            [
                program,
                f"--config.file={folder}/prometheus.yml",
                f"--storage.tsdb.path={folder}/data",
                f"--web.listen-address=127.0.0.1:{self.port}",
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def ask(self, expression: str) -> list[dict[str, Any]]:
        """Return the series of an expression over the last minutes, as a panel asks for them."""
        now = time.time()
        asked = urllib.parse.urlencode({"query": expression, "start": now - 300, "end": now, "step": 1})
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/api/v1/query_range?{asked}", timeout=5) as answer:
            found: list[dict[str, Any]] = json.load(answer)["data"]["result"]
            return found

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(20)


def status_of(report: Progress, phase: str) -> Status:
    known = report.model_dump(by_alias=True, exclude_none=True, include=set(Status.model_fields) - {"report"})
    return Status.model_validate(
        known
        | {
            "phase": phase,
            "attempts": report.attempt,
            "gpuHours": report.gpu_seconds / 3600,
            "startTime": report.started_at,
        }
    )


@pytest.fixture(scope="module")
def scraped(programs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """A Prometheus that has seen a run, one that waits and one that failed, through the operator's own metrics."""
    target = free_port()
    server, thread = start_http_server(target, addr="127.0.0.1")
    shown = metrics.JobMetrics(3600)
    prometheus = Prometheus(programs / "prometheus", tmp_path_factory.mktemp("prometheus"), target)
    job = {"metadata": {"creationTimestamp": "2026-11-25T10:00:00Z"}, "spec": {"limits": {"gpuHours": 1}}}
    waiting = Status.model_validate({"phase": "Queued"})
    failure = {"reason": "OutOfMemory", "message": "-", "hint": "-"}
    shown.show(Key("team-a", "waits"), job, waiting)
    shown.show(Key("team-b", "failed"), job, Status.model_validate({"phase": "Failed", "failure": failure}))
    metrics.LEADER.set(1)
    for line in RUN.read_text(encoding="utf-8").splitlines():
        shown.show(Key("team-a", "parity"), job, status_of(Progress.model_validate_json(line), "Running"))
        metrics.API_REQUESTS.labels("GET", 200).inc()
        for result in ("success", "error"):
            metrics.RECONCILES.labels(result).inc()
        metrics.RECONCILE_SECONDS.observe(0.001)
        time.sleep(0.5)  # Prometheus looks once a second: the run is played back for it
    yield prometheus
    prometheus.close()
    server.shutdown()
    thread.join()
    REGISTRY.unregister(shown)


@pytest.mark.parametrize(("board", "panel", "expression"), every_query())
def test_query_has_an_answer(board: str, panel: str, expression: str, scraped: Prometheus) -> None:
    for name, value in VARIABLES.items():
        expression = expression.replace(name, ".+" if board == "fleet" and name == "$namespace" else value)
    names = set(re.findall(r"reasoning_job_\w+", expression))
    if panel in NOT_ON_A_CPU or names & EMPTY_HERE:
        assert scraped.ask(expression) is not None
        return
    eventually(lambda: scraped.ask(expression), f"an answer to {expression}", 20)


@pytest.mark.parametrize(("board", "panel", "expression"), every_query())
def test_query_names_series_that_are_served(board: str, panel: str, expression: str) -> None:
    known = {series.full_name for series in (*SERIES, *metrics.OWN_SERIES)}
    assert set(re.findall(r"reasoning_job_\w+", expression)) <= known
