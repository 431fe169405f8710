"""Serves /progress, /metrics and /healthz to whoever wants to look at the run."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from pydantic.alias_generators import to_snake

from reasoning_contract.progress import Progress

PREFIX = "reasoning_trainer"


class ProgressCollector(Collector):
    """Turns the report of the moment into Prometheus gauges."""

    def __init__(self, progress: Callable[[], Progress]) -> None:
        self._progress = progress

    def collect(self) -> Iterator[Metric]:
        """Yield the gauges; a figure that the run does not have yields none."""
        report = self._progress()
        stage = GaugeMetricFamily(f"{PREFIX}_stage", "1 for the stage that is running", labels=["stage"])
        stage.add_metric([report.stage], 1)
        yield stage
        yield _gauge("attempt", "Number of this attempt", report.attempt)
        yield _gauge("gpu_seconds", "GPU-seconds over all attempts", report.gpu_seconds)
        yield _gauge("progress_ratio", "Share of the run that is done", report.progress.percent / 100)
        for name in ("step", "total_steps", "step_seconds", "eta_seconds"):
            value = getattr(report.progress, name)
            if value is not None:
                yield _gauge(name, type(report.progress).model_fields[name].description or name, value)
        yield from self._training(report)
        yield from self._evaluation(report)

    def _training(self, report: Progress) -> Iterator[Metric]:
        figures = report.training.model_dump(exclude_none=True) if report.training else {}
        described = type(report.training).model_fields if report.training else {}
        for name, value in figures.items():
            text = described[name].description or name
            if isinstance(value, dict):
                family = GaugeMetricFamily(f"{PREFIX}_{name}", text, labels=["reward"])
                for reward, figure in value.items():
                    family.add_metric([reward], figure)
                yield family
            else:
                yield _gauge(to_snake(name), text, value)

    def _evaluation(self, report: Progress) -> Iterator[Metric]:
        if report.evaluation is None:
            return
        for name, text in (("accuracy", "Held-out accuracy"), ("preferred", "Share of held-out pairs preferred")):
            family = GaugeMetricFamily(f"{PREFIX}_held_out_{name}", text, labels=["model"])
            for model in ("base", "warmup", "reinforce"):
                figure = getattr(getattr(report.evaluation.held_out, model), name, None)
                if figure is not None:
                    family.add_metric([model], figure)
            if family.samples:
                yield family


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"{PREFIX}_{name}", text, value=value)


class _Server(ThreadingHTTPServer):
    """Listens on IPv6 and IPv4 at once, where there is IPv6: on a cluster of either kind probes must get through."""

    def __init__(self, port: int, handler: type[BaseHTTPRequestHandler]) -> None:
        self._dual = socket.has_dualstack_ipv6()
        self.address_family = socket.AF_INET6 if self._dual else socket.AF_INET
        super().__init__(("", port), handler)

    def server_bind(self) -> None:
        """Take IPv4 in, which a machine's settings may keep out of an IPv6 socket."""
        if self._dual:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        super().server_bind()


class Exporter:
    """An HTTP server in a thread of its own.

    Parameters
    ----------
    port
        Port to listen on, on all addresses; 0 for any free one.
    progress
        Gives the report of the moment.
    pid
        Gives the process whose memory, CPU time and descriptors are told.
    """

    def __init__(
        self, port: int, progress: Callable[[], Progress], pid: Callable[[], int | str] = lambda: "self"
    ) -> None:
        registry = CollectorRegistry()
        registry.register(ProgressCollector(progress))
        ProcessCollector(pid=pid, registry=registry)

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.path == "/progress":
                    self._answer(progress().model_dump_json(by_alias=True, exclude_none=True), "application/json")
                elif self.path == "/metrics":
                    self._answer(generate_latest(registry).decode(), CONTENT_TYPE_LATEST)
                elif self.path == "/healthz":
                    self._answer("ok\n", "text/plain")
                else:
                    self.send_error(HTTPStatus.NOT_FOUND)

            def _answer(self, text: str, kind: str) -> None:
                body = text.encode()
                self.send_response(HTTPStatus.OK)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *arguments: object) -> None:
                """Keep probes and scrapes out of the log."""

        self._server = _Server(port, Handler)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, name="exporter", daemon=True).start()

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
