"""Measures the operator against a control plane of its own, and prints one line a figure.

``python tests/bench/bench_operator.py``: idle cost with 100 finished jobs, time from the creation of a job to its pod,
time from a trainer's step to the status, and what a run's progress writes. ``--scale N``: N jobs that are created at
once and wait for a node, until all their children are there, at rest, and after a restart. The kubelet and the trainer
are stand-ins, the trainer's report is made by its own tracker; the API server and its controllers are real.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "operator"), str(ROOT / "trainer_image")]

from tests.cluster.operator_under_test import (  # noqa: E402
    CLAIM,
    CONFIG_MAP,
    JOB,
    POD,
    POLICY,
    RTJ,
    Api,
    FakeKubelet,
    FakeTrainer,
    Operator,
    cpu_seconds,
    install_crd,
    manifest,
    running,
)
from tests.polling import eventually  # noqa: E402

from reasoning_trainer.reporting.tracker import Phase, Tracker  # noqa: E402

FINISHED_JOBS, IDLE_SECONDS, SAMPLES = 100, 60, 10
CREATORS = 8
QUIET_SECONDS = 5.0
CONTROL_PLANE = ("kube-apiserver", "etcd", "kube-controller-manager", "kube-scheduler")


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

    eventually(
        lambda: operator.metric("reasoning_operator_jobs") >= FINISHED_JOBS, "the first look at every job", seconds=60
    )


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


@contextmanager
def run(api: Api, name: str, address: str) -> Iterator[Tracker]:
    """Yield the tracker of a run that serves what it reports."""
    tracker = Tracker([Phase("reinforce", "reinforce", 1.0)], gpus=1)
    tracker.begin("reinforce", total=10_000)
    api.create(manifest(name))
    trainer = FakeTrainer(address, tracker.progress)
    FakeKubelet(api).run(api.pod(name), trainer.address)
    eventually(lambda: api.status(name).get("progress"), "the first report")
    try:
        yield tracker
    finally:
        trainer.close()


def until_visible(api: Api) -> list[float]:
    """Time from a step's report in the trainer to the status, seconds."""
    times = []
    with run(api, "steps", "127.0.7.2") as tracker:
        for step in range(1, SAMPLES + 1):
            tracker.advance(step)
            start = time.monotonic()
            eventually(lambda step=step: api.status("steps").get("progress", {}).get("step") == step, "the step")  # type: ignore[misc]
            times.append(time.monotonic() - start)
    return times


def writes_of_a_run(api: Api, operator: Operator) -> str:
    """Count the writes of a status while a run takes a step a second, and while it takes a step that lasts."""
    counts = []
    with run(api, "busy", "127.0.7.3") as tracker:
        for pace in (1, 0):
            before = operator.requests().get("PUT", 0)
            for second in range(IDLE_SECONDS):
                tracker.advance(1 + second * pace)
                time.sleep(1)  # the run itself
            counts.append(operator.requests().get("PUT", 0) - before)
    return f"{counts[0]:.0f} with a step a second, {counts[1]:.0f} while a step lasts"


def spread(times: list[float]) -> str:
    """Return median and maximum as text."""
    return f"median {statistics.median(times):.2f} s, max {max(times):.2f} s of {len(times)}"


def create_jobs(kubeconfig: Path, count: int) -> None:
    """Create jobs as fast as the API server takes them."""

    def some(first: int) -> None:
        api = Api(kubeconfig, "default")
        for number in range(first, count, CREATORS):
            api.create(manifest(f"job-{number}"))

    with ThreadPoolExecutor(CREATORS) as pool:
        list(pool.map(some, range(CREATORS)))


def children_missing(api: Api, count: int) -> int:
    """Return how many children of some jobs are not there yet."""
    others = {CONFIG_MAP: 1}  # the cluster's own, in each namespace
    there = {kind: api.count(kind) - others.get(kind, 0) for kind in (JOB, CLAIM, CONFIG_MAP, POLICY)}
    return sum(count - found for found in there.values())


def quiet(operator: Operator) -> float:
    """Wait until the operator works and has asked for nothing for a while; return when it fell quiet."""
    eventually(lambda: operator.metric("reasoning_operator_leader"), "an operator at work", seconds=60)
    last: dict[str, float] = {}
    since = time.monotonic()

    def rests() -> bool:
        nonlocal last, since
        now = operator.requests()
        if now != last or operator.metric("reasoning_operator_workqueue_depth"):
            last, since = now, time.monotonic()
        return time.monotonic() - since >= QUIET_SECONDS

    eventually(rests, "rest", seconds=1800, pause=0.5)
    return since


def cpu_of_control_plane(kubeconfig: Path) -> Mapping[str, float]:
    """Return the CPU time that each process of the control plane has taken: all are one program, given a name."""
    folder = kubeconfig.relative_to(tempfile.gettempdir()).parts[0]
    found = {}
    for entry in Path("/proc").iterdir():
        try:
            words = (entry / "cmdline").read_bytes().decode().split("\0") if entry.name.isdecimal() else [""]
        except OSError:  # it has ended
            continue
        if len(words) > 1 and words[1] in CONTROL_PLANE and any(folder in word for word in words):
            found[words[1]] = cpu_seconds(int(entry.name))
    return found


def scale(count: int) -> None:
    """Print what a number of jobs costs that wait for a node."""
    with control_plane() as kubeconfig, tempfile.TemporaryDirectory() as folder:
        install_crd(kubeconfig)
        api, operator = Api(kubeconfig, "default"), Operator(kubeconfig, Path(folder) / "log")
        with running(operator):
            quiet(operator)
            before, cpu, start = cpu_of_control_plane(kubeconfig), operator.cpu_seconds(), time.monotonic()
            create_jobs(kubeconfig, count)
            created = time.monotonic() - start
            eventually(lambda: children_missing(api, count) == 0, "all children", seconds=3600, pause=0.5)
            whole = time.monotonic() - start
            print(f"{count} jobs: created in {created:.1f} s, all children after {whole:.1f} s", flush=True)
            rest = quiet(operator) - start
            own = 1000 * (operator.cpu_seconds() - cpu) / count
            print(f"at rest after {rest:.1f} s; {own:.1f} ms of the operator's CPU a job; {operator.requests()}")
            after = cpu_of_control_plane(kubeconfig)
            print({name: f"{seconds - before.get(name, 0):.1f} s of CPU" for name, seconds in after.items()})
            print(f"{operator.memory_mib():.0f} MiB, {operator.memory_mib(peak=True):.0f} at most", flush=True)
            cpu = operator.cpu_seconds()
            print(f"at rest: {idle_cost(operator)}, {operator.cpu_seconds() - cpu:.2f} s of CPU in {IDLE_SECONDS} s")
            operator.stop()
            start = time.monotonic()
            operator.start()
            eventually(lambda: operator.metric("reasoning_operator_jobs") >= count, "every job", seconds=1800)
            settled = quiet(operator) - start
            memory = f"{operator.memory_mib(peak=True):.0f} MiB at most"
            cpu = operator.cpu_seconds()
            print(f"restart: at rest after {settled:.1f} s, {cpu:.1f} s of CPU, {memory}, {operator.requests()}")


def main() -> None:
    """Print the figures that the command line asks for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--scale", type=int, metavar="N", help="measure N jobs that wait for a node")
    count = parser.parse_args().scale
    scale(count) if count else latencies()


def latencies() -> None:
    """Print what one job costs."""
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
            print(f"writes in {IDLE_SECONDS} s of a run: {writes_of_a_run(api, operator)}", flush=True)
        assert not [job for job in api.list(JOB) if job["metadata"]["name"].startswith("old-")]


if __name__ == "__main__":
    main()
