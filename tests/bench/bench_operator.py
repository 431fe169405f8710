"""Measures the operator against a control plane of its own, and prints one line a figure.

``python tests/bench/bench_operator.py``: idle cost with 100 finished jobs, time from the creation of a job to its pod,
time from a trainer's step to the status. The kubelet and the trainer are stand-ins; the API server and its controllers
are real.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "operator"), str(ROOT / "trainer_image")]

from tests.cluster.operator_under_test import (  # noqa: E402
    JOB,
    POD,
    RTJ,
    Api,
    FakeKubelet,
    FakeTrainer,
    Operator,
    install_crd,
    manifest,
    report,
    running,
)
from tests.polling import eventually  # noqa: E402

FINISHED_JOBS, IDLE_SECONDS, SAMPLES = 100, 60, 10


@contextmanager
def control_plane() -> Iterator[Path]:
    """Yield the kubeconfig of a control plane without a node."""
    with tempfile.TemporaryDirectory() as folder:
        driver = [sys.executable, str(ROOT / "hack/localcluster/localcluster.py")]
        where = ["--control-plane-only", "--at", folder]
        subprocess.run([*driver, "up", *where], check=True)
        try:
            found = subprocess.run([*driver, "kubeconfig", *where], check=True, capture_output=True, text=True)
            yield Path(found.stdout.strip())
        finally:
            subprocess.run([*driver, "down", *where], check=True)


def make_finished_jobs(api: Api) -> None:
    """Create jobs that finished long ago."""
    done = {"phase": "Succeeded", "completionTime": "2026-01-01T00:00:00Z", "conditions": [], "observedGeneration": 1}
    for number in range(FINISHED_JOBS):
        api.create(manifest(f"old-{number}"))
        api.patch(RTJ, f"old-{number}", {"status": done}, "status")


def settle(operator: Operator) -> None:
    """Wait until the operator has looked at every job once."""

    def seen() -> bool:
        try:
            return operator.requests().get("GET", 0) >= 6 * FINISHED_JOBS
        except OSError:  # it does not serve yet
            return False

    eventually(seen, "the first look at every job", seconds=60)


def idle_cost(operator: Operator) -> str:
    """Count requests while nothing happens."""
    before = operator.requests()
    time.sleep(IDLE_SECONDS)  # the measurement itself
    after = operator.requests()
    made = {method: after[method] - before.get(method, 0) for method in after}
    writes = sum(count for method, count in made.items() if method != "GET")
    return f"{writes:.0f} writes, {sum(made.values()) / IDLE_SECONDS:.2f} requests/s"


def until_pod(api: Api) -> list[float]:
    """Time from the creation of a job to its pod, seconds."""
    times = []
    for number in range(SAMPLES):
        start = time.monotonic()
        api.create(manifest(f"pod-{number}"))
        selector = f"reasoning-operator.io/job=pod-{number}"
        eventually(lambda selector=selector: api.list(POD, selector), "the pod", seconds=60)  # type: ignore[misc]
        times.append(time.monotonic() - start)
    return times


def until_visible(api: Api) -> list[float]:
    """Time from a step's report in the trainer to the status, seconds."""
    times = []
    api.create(manifest("steps"))
    trainer = FakeTrainer("127.0.7.2")
    FakeKubelet(api).run(api.pod("steps"), trainer.address)
    api.wait_for_phase("steps", "Running")
    for step in range(1, SAMPLES + 1):
        trainer.document = report(step)
        start = time.monotonic()
        eventually(lambda step=step: api.status("steps").get("progress", {}).get("step") == step, "the step")  # type: ignore[misc]
        times.append(time.monotonic() - start)
    trainer.close()
    return times


def spread(times: list[float]) -> str:
    """Return median and maximum as text."""
    return f"median {statistics.median(times):.2f} s, max {max(times):.2f} s of {len(times)}"


def main() -> None:
    """Print the figures."""
    with control_plane() as kubeconfig, tempfile.TemporaryDirectory() as folder:
        install_crd(kubeconfig)
        api = Api(kubeconfig, "default")
        make_finished_jobs(api)
        operator = Operator(kubeconfig, Path(folder) / "log", progress_interval_seconds="5")
        with running(operator):
            settle(operator)
            print(
                f"idle, {FINISHED_JOBS} finished jobs: {idle_cost(operator)}, {operator.memory_mib():.0f} MiB",
                flush=True,
            )
            print(f"job created -> pod created: {spread(until_pod(api))}", flush=True)
            print(f"step reported -> in the status: {spread(until_visible(api))}", flush=True)
        assert not [job for job in api.list(JOB) if job["metadata"]["name"].startswith("old-")]


if __name__ == "__main__":
    main()
