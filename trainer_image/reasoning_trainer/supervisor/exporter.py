"""Serves /progress, /report, /metrics and /healthz to whoever wants to look at the run."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import IPv6Address, ip_address
from pathlib import Path

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from reasoning_contract.progress import Progress
from reasoning_contract.series import PREFIX, Series, figures


class ProgressCollector(Collector):
    """Turns the report of the moment into Prometheus series, under the names that the operator serves them by."""

    def __init__(self, progress: Callable[[], Progress]) -> None:
        self._progress = progress

    def collect(self) -> Iterator[Metric]:
        """Yield the series; a figure that the run does not have yields none."""
        families: dict[str, GaugeMetricFamily | CounterMetricFamily] = {}
        for series, label, value in figures(self._progress()):
            if series.name not in families:
                families[series.name] = family_of(series)
            families[series.name].add_metric([label] if series.label else [], value)
        yield from families.values()


def family_of(series: Series) -> GaugeMetricFamily | CounterMetricFamily:
    """Return an empty family for a series of this run."""
    kind = CounterMetricFamily if series.counter else GaugeMetricFamily
    return kind(f"{PREFIX}{series.name}", series.text, labels=[series.label] if series.label else [])


def is_own(address: str) -> bool:
    """Whether an address is the machine's own: that of `kubectl port-forward`, which asks who one is.

    The report holds rows and completions, which are not for everybody on the pods' network.
    """
    parsed = ip_address(address)
    mapped = parsed.ipv4_mapped if isinstance(parsed, IPv6Address) else None
    return (mapped or parsed).is_loopback


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
    report
        The file that is served at /report, to this machine alone, once it is there; None where there is none.
    """

    def __init__(
        self,
        port: int,
        progress: Callable[[], Progress],
        pid: Callable[[], int | str] = lambda: "self",
        report: Path | None = None,
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
                elif self.path == "/report" and is_own(self.client_address[0]) and report and report.is_file():
                    self._answer(report.read_text("utf-8"), "text/html; charset=utf-8")
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
