"""The operator as a process, a client for the tests, and stand-ins for what a control plane without a node lacks."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, TypeVar

import yaml
from kubernetes import config
from kubernetes.dynamic import DynamicClient
from kubernetes.dynamic.exceptions import ConflictError, NotFoundError
from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from tests.polling import eventually

from reasoning_contract.api import PORT
from reasoning_contract.outcome import Outcome
from reasoning_contract.progress import Progress
from reasoning_trainer.supervisor.exporter import ProgressCollector

ROOT = Path(__file__).parents[2]
CRD = ROOT / "crds/reasoningtrainingjobs.yaml"
API_VERSION = "reasoning-operator.io/v1alpha1"
RTJ = (API_VERSION, "ReasoningTrainingJob")
JOB, POD, CLAIM = ("batch/v1", "Job"), ("v1", "Pod"), ("v1", "PersistentVolumeClaim")
CONFIG_MAP, POLICY = ("v1", "ConfigMap"), ("networking.k8s.io/v1", "NetworkPolicy")

T = TypeVar("T")
Json = dict[str, Any]


class Api:
    """The API server, object by object, in one namespace."""

    def __init__(self, kubeconfig: Path, namespace: str) -> None:
        self._client = DynamicClient(config.new_client_from_config(str(kubeconfig)))
        self.namespace = namespace

    def _resource(self, kind: tuple[str, str]) -> Any:
        return self._client.resources.get(api_version=kind[0], kind=kind[1])

    def create(self, thing: Json) -> Json:
        resource = self._resource((thing["apiVersion"], thing["kind"]))
        return resource.create(body=thing, namespace=self.namespace).to_dict()  # type: ignore[no-any-return]

    def get(self, kind: tuple[str, str], name: str) -> Json | None:
        try:
            return self._resource(kind).get(name=name, namespace=self.namespace).to_dict()  # type: ignore[no-any-return]
        except NotFoundError:
            return None

    def list(self, kind: tuple[str, str], selector: str = "") -> list[Json]:
        found = self._resource(kind).get(namespace=self.namespace, label_selector=selector)
        return [item.to_dict() for item in found.items]

    def count(self, kind: tuple[str, str]) -> int:
        """Return how many objects there are, without reading them."""
        found = self._resource(kind).get(namespace=self.namespace, limit=1).to_dict()
        return len(found["items"]) + (found["metadata"].get("remainingItemCount") or 0)

    def patch(self, kind: tuple[str, str], name: str, patch: Json, subresource: str = "") -> Json:
        resource = self._resource(kind)
        target = resource.subresources[subresource] if subresource else resource
        content = {"content_type": "application/merge-patch+json"}
        return target.patch(body=patch, name=name, namespace=self.namespace, **content).to_dict()  # type: ignore[no-any-return]

    def delete(self, kind: tuple[str, str], name: str) -> None:
        self._resource(kind).delete(name=name, namespace=self.namespace, body={"propagationPolicy": "Background"})

    def status(self, name: str) -> Json:
        job = self.get(RTJ, name)
        assert job, f"{name} is gone"
        return job.get("status") or {}

    def wait_for_phase(self, name: str, phase: str, seconds: float = 30) -> Json:
        try:
            return eventually(lambda: s if (s := self.status(name)).get("phase") == phase else None, phase, seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}; the status is {json.dumps(self.status(name), indent=1)}") from error

    def pod(self, job: str) -> Json:
        """Return the pod of a job that is neither over nor being deleted, as soon as there is one."""

        def look() -> Json | None:
            pods = self.list(POD, f"reasoning-operator.io/job={job}")
            alive = [pod for pod in pods if (pod.get("status") or {}).get("phase") not in ("Succeeded", "Failed")]
            return next((pod for pod in alive if not pod["metadata"].get("deletionTimestamp")), None)

        return eventually(look, f"a pod of {job}")


def install_crd(kubeconfig: Path) -> None:
    """Install the CRD, unless another test did, and wait until it is served."""
    api = Api(kubeconfig, "default")
    try:
        api.create(yaml.safe_load(CRD.read_text(encoding="utf-8")))
    except ConflictError:
        return

    def served() -> bool:
        crd = api.get(
            ("apiextensions.k8s.io/v1", "CustomResourceDefinition"), "reasoningtrainingjobs.reasoning-operator.io"
        )
        conditions = ((crd or {}).get("status") or {}).get("conditions") or []
        return any(each["type"] == "Established" and each["status"] == "True" for each in conditions)

    eventually(served, "the CRD")


def manifest(name: str, **spec: Any) -> Json:
    """Return a small job on the CPU; further parts of the spec replace those here."""
    base: Json = {
        "model": {"source": "file:///models/tiny"},
        "parallelism": {"gpusPerNode": 0},
        "data": {"train": {"reasoningGym": {"task": "chain_sum"}}, "heldOut": {"fraction": 0.1}},
        "rewards": [{"name": "correct", "builtin": "correctness"}],
    }
    return {"apiVersion": API_VERSION, "kind": "ReasoningTrainingJob", "metadata": {"name": name}, "spec": base | spec}


def report(step: int = 5, **fields: Any) -> Progress:
    """Return what a trainer reports."""
    progress = {"display": f"{step}%", "percent": step, "step": step, "totalSteps": 100, "updatedAt": now()}
    base = {"attempt": 1, "startedAt": now(), "stage": "reinforce", "progress": progress}
    return Progress.model_validate(base | fields)


def now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class FakeKubelet:
    """Writes what a kubelet would about pods: there is no node on this control plane."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def run(self, pod: Json, address: str = "127.0.0.1") -> None:
        state = {"running": {"startedAt": now()}}
        self._write(pod, {"phase": "Running", "podIP": address, "podIPs": [{"ip": address}]}, state)

    def wait(self, pod: Json, reason: str, message: str) -> None:
        scheduled = [{"type": "PodScheduled", "status": "True", "lastTransitionTime": now()}]
        state = {"waiting": {"reason": reason, "message": message}}
        self._write(pod, {"phase": "Pending", "conditions": scheduled}, state)

    def end(self, pod: Json, exit_code: int, *, message: str = "", reason: str = "") -> None:
        reason = reason or ("Completed" if exit_code == 0 else "Error")
        ended = {"exitCode": exit_code, "reason": reason, "message": message, "startedAt": now(), "finishedAt": now()}
        self._write(pod, {"phase": "Succeeded" if exit_code == 0 else "Failed"}, {"terminated": ended})

    def say(self, pod: Json, outcome: Outcome) -> None:
        """End a pod with the trainer's last word."""
        self.end(pod, outcome.exit_code, message=outcome.to_termination_message())

    def _write(self, pod: Json, status: Json, state: Json) -> None:
        container = {"name": "trainer", "image": "x", "imageID": "", "ready": False, "restartCount": 0, "state": state}
        patch = {"status": status | {"containerStatuses": [container]}}
        self._api.patch(POD, pod["metadata"]["name"], patch, "status")


class FakeTrainer:
    """Serves /progress and /metrics as a trainer does, at an address of its own on loopback."""

    def __init__(self, address: str, report: Callable[[], Progress | None] | None = None) -> None:
        self.address = address
        self.document: Progress | None = None
        report = report or (lambda: self.document)

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                document = report() if self.path in ("/progress", "/metrics") else None
                self.send_response(200 if document else 503)
                self.end_headers()
                if document and self.path == "/progress":
                    self.wfile.write(document.model_dump_json(by_alias=True, exclude_none=True).encode())
                elif document:
                    registry = CollectorRegistry()
                    registry.register(ProgressCollector(lambda: document))
                    ProcessCollector(registry=registry)
                    self.wfile.write(generate_latest(registry))

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer((address, PORT), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


KOPFS_END = re.compile(
    r"\S+ \S+ ERROR asyncio: an error occurred during closing of asynchronous generator "
    r"<async_generator object infinite_watch.*?RuntimeError: generator didn't stop after athrow\(\)\n",
    re.DOTALL,
)


class Operator:
    """The operator, `python -m reasoning_operator`, as a process outside the cluster."""

    def __init__(self, kubeconfig: Path, log: Path, **settings: str) -> None:
        self.metrics_port = free_port()
        self._log = log
        prefixed = {f"REASONING_OPERATOR_{name.upper()}": value for name, value in settings.items()}
        self._environment = {
            **os.environ,
            "KUBECONFIG": str(kubeconfig),
            "PYTHONPATH": os.pathsep.join(map(str, (ROOT / "operator", ROOT / "trainer_image"))),
            "REASONING_OPERATOR_TRAINER_IMAGE": "trainer:gpu",
            "REASONING_OPERATOR_TRAINER_CPU_IMAGE": "trainer:cpu",
            "REASONING_OPERATOR_METRICS_LISTEN_PORT": str(self.metrics_port),
            "REASONING_OPERATOR_LIVENESS_LISTEN_PORT": str(free_port()),
            "REASONING_OPERATOR_PROGRESS_ROUTE": "pod",
            "REASONING_OPERATOR_PROGRESS_INTERVAL_SECONDS": "1",
        } | prefixed
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self._log.open("ab") as log:
            command = [sys.executable, "-m", "reasoning_operator"]
            self._process = subprocess.Popen(command, env=self._environment, stdout=log, stderr=log)

    def stop(self, number: int = signal.SIGTERM) -> int:
        assert self._process
        self._process.send_signal(number)
        return self._process.wait(timeout=30)

    def end(self) -> None:
        """Stop it, unless the test has done so."""
        if self._process and self._process.poll() is None:
            self.stop()

    def log(self) -> str:
        return self._log.read_text(encoding="utf-8")

    def broken(self) -> str:
        """Return the log, if it has a traceback but for one that a watch of kopf may leave as the process ends."""
        rest = KOPFS_END.sub("", self.log())
        return rest if "Traceback" in rest else ""

    def memory_mib(self, *, peak: bool = False) -> float:
        """Return the resident memory of the process, now or at its highest."""
        assert self._process
        status = Path(f"/proc/{self._process.pid}/status").read_text(encoding="ascii")
        name = "VmHWM:" if peak else "VmRSS:"
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith(name)) / 1024

    def cpu_seconds(self) -> float:
        """Return the CPU time that the process has taken."""
        assert self._process
        return cpu_seconds(self._process.pid)

    def metric(self, name: str) -> float:
        """Return the sum of a metric's series; 0 while the operator does not serve yet."""
        try:
            lines = [line for line in self._metrics() if line.partition("{")[0].partition(" ")[0] == name]
        except OSError:
            return 0
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines)

    def requests(self) -> dict[str, float]:
        """Return the number of requests to the API server so far, watches excluded, by method."""
        counts: dict[str, float] = {}
        for line in self._metrics():
            if line.startswith("reasoning_operator_api_requests_total{"):
                method = line.split('method="')[1].split('"')[0]
                counts[method] = counts.get(method, 0) + float(line.rsplit(" ", 1)[1])
        counts.pop("WATCH", None)
        return counts

    def _metrics(self) -> list[str]:
        text = urllib.request.urlopen(f"http://127.0.0.1:{self.metrics_port}/metrics", timeout=5).read().decode()
        return text.splitlines()  # type: ignore[no-any-return]


def cpu_seconds(pid: int) -> float:
    """Return the CPU time that a process has taken."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def running(operator: Operator) -> Iterator[Operator]:
    operator.start()
    try:
        yield operator
    finally:
        operator.end()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
