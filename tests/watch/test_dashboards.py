"""Every query of every panel is asked of a real Prometheus that has scraped a real run: none is empty."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard
from prometheus_client import REGISTRY, start_http_server
from tests.cluster.operator_under_test import free_port
from tests.polling import eventually
from tests.watch import drawing
from tests.watch.prometheus import Prometheus

from reasoning_contract.job_status import Status
from reasoning_contract.progress import Progress
from reasoning_contract.series import SERIES
from reasoning_operator import metrics
from reasoning_operator.model import Key

BOARDS = sorted((Path(__file__).parents[2] / "helm/reasoning-operator/files/dashboards").glob("*.json"))
RUN = Path(__file__).with_name("run.jsonl")
"""Reports of a real run, as /progress gave them: the recipe of examples/sums.yaml on a CPU, killed once and resumed."""
PLAYED = 20
"""How many of them are played back."""
VARIABLES = {"namespace": "team-a", "name": "sums"}
EMPTY_HERE = {
    "reasoning_job_gpu_busy_ratio",
    "reasoning_job_gpu_memory_bytes",
    "reasoning_job_held_out_preferred",
    "reasoning_job_importance_ratio",
    "reasoning_job_kl_nats",
    "reasoning_job_unscored_completions_total",
}
"""What a run of GRPO without KL on a CPU, whose rows are no pairs and all scored, has none of."""


def queries(board: Path) -> Iterator[tuple[str, str]]:
    for panel in json.loads(board.read_text(encoding="utf-8"))["panels"]:
        for target in panel.get("targets", []):
            yield panel["title"], target["expr"]


def every_query() -> list[tuple[str, str, str]]:
    return [(board.stem, *query) for board in BOARDS for query in queries(board)]


def panels(kind: str) -> list[dict[str, Any]]:
    boards = [json.loads(board.read_text(encoding="utf-8")) for board in BOARDS]
    return [panel for board in boards for panel in board["panels"] if panel["type"] == kind]


def variables(board: str) -> dict[str, str]:
    """Return what the variables stand for; the fleet's is every namespace."""
    return VARIABLES | ({"namespace": ".+"} if board == "fleet" else {})


def last_minutes(prometheus: Prometheus, expression: str) -> list[dict[str, Any]]:
    """Return the series of an expression over the last minutes, as a panel asks for them."""
    return prometheus.ask(expression, time.time() - 300, time.time())


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
    scrape = {
        "job_name": "reasoning-operator",
        "honor_labels": True,
        "static_configs": [{"targets": [f"127.0.0.1:{target}"]}],
    }
    settings = {"global": {"scrape_interval": "1s", "scrape_timeout": "1s"}, "scrape_configs": [scrape]}
    prometheus = Prometheus(programs / "prometheus", tmp_path_factory.mktemp("prometheus"), settings)
    job = {"metadata": {"creationTimestamp": "2026-11-25T10:00:00Z"}, "spec": {"limits": {"gpuHours": 1}}}
    waiting = Status.model_validate({"phase": "Queued"})
    failure = {"reason": "OutOfMemory", "message": "-", "hint": "-"}
    shown.show(Key("team-a", "waits"), job, waiting)
    shown.show(Key("team-b", "failed"), job, Status.model_validate({"phase": "Failed", "failure": failure}))
    metrics.LEADER.set(1)
    lines = RUN.read_text(encoding="utf-8").splitlines()
    for line in lines[-1 :: -(len(lines) // PLAYED)][::-1]:
        shown.show(Key("team-a", "sums"), job, status_of(Progress.model_validate_json(line), "Running"))
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
    asked = drawing.substituted(expression, variables(board))
    if set(re.findall(r"reasoning_job_\w+", asked)) & EMPTY_HERE:
        assert last_minutes(scraped, asked) == []
        return
    eventually(lambda: last_minutes(scraped, asked), f"an answer to {asked}", 20)


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.stem)
def test_every_panel_is_drawn_or_says_why_it_is_empty(board: Path, scraped: Prometheus) -> None:
    document = json.loads(board.read_text(encoding="utf-8"))
    now = time.time()
    picture = drawing.draw(document, scraped.ask, variables(board.stem), now - 60, now)
    for panel in document["panels"]:
        assert f"{panel['title']}<" in picture
    assert drawing.NO_DATA not in picture


@pytest.mark.parametrize(("board", "panel", "expression"), every_query())
def test_query_names_series_that_are_served(board: str, panel: str, expression: str) -> None:
    known = {series.full_name for series in (*SERIES, *metrics.OWN_SERIES)}
    assert set(re.findall(r"reasoning_job_\w+", expression)) <= known


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.stem)
def test_board_is_what_grafanas_schema_knows(board: Path) -> None:
    """The SDK's models are made from Grafana's schema: what they do not know would be lost on the way through them."""
    register_default_plugins()
    document = json.loads(board.read_text(encoding="utf-8"))
    through = json.loads(JSONEncoder().encode(Dashboard.from_json(document)))
    for panel in through["panels"]:
        if panel.get("fieldConfig", {}).get("defaults", {}).get("custom") == {}:
            del panel["fieldConfig"]["defaults"]["custom"]
    assert through == document


@pytest.mark.parametrize("panel", panels("timeseries"), ids=lambda panel: panel["title"])
def test_lines_have_a_legend(panel: dict[str, Any]) -> None:
    assert panel["options"]["legend"]["showLegend"] is True


@pytest.mark.parametrize("panel", panels("stat"), ids=lambda panel: panel["title"])
def test_figure_has_colours_of_its_own(panel: dict[str, Any]) -> None:
    """Grafana's own thresholds make everything from 80 red: seconds, bytes and jobs that run."""
    assert panel["fieldConfig"]["defaults"]["thresholds"]["steps"]


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.375, "percentunit", "37.5%"),
        (94, "s", "1.57 mins"),
        (60, "s", "1 min"),
        (0.0025, "s", "2.5 ms"),
        (2, "h", "2 hours"),
        (1536, "bytes", "1.50 KiB"),
        (12345, "short", "12.3 K"),
        (0.05, "ops", "0.05 ops/s"),
        (0.0002, "sci", "2.0e-04"),
    ],
)
def test_drawn_figure_has_its_unit(value: float, unit: str, text: str) -> None:
    assert drawing.shown(value, unit) == text
