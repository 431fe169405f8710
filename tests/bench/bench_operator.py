"""Measures the operator against a control plane of its own, and prints one line a figure.

``python tests/bench/bench_operator.py``: idle cost with 100 finished jobs, time from the creation of a job to its pod,
time from a trainer's step to the status, and what a run's progress writes. ``--scale N [N ...]``: N jobs that are
created at once and wait for a node, until all their children are there, at rest, and after a restart, each number on a
control plane of its own, and a table of all; ``--namespaces N`` spreads them over N namespaces. It ends by itself, at
the latest when a phase has taken the time that it may. The kubelet and the trainer are stand-ins, the trainer's report
is made by its own tracker; the API server and its controllers are real.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

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
SLOWEST_PER_SECOND, LEAST_SECONDS = 4.0, 120.0
"""Jobs a second below which a phase is given up, and how long each may take whatever their number."""
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


def make_namespaces(kubeconfig: Path, count: int) -> list[str]:
    """Return the names of as many namespaces; of one, that it is the default."""
    if count == 1:
        return ["default"]
    names, cluster = [f"team-{number}" for number in range(count)], Api(kubeconfig, "default")
    for name in names:
        cluster.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    return names


def create_jobs(kubeconfig: Path, count: int, namespaces: Sequence[str]) -> None:
    """Create jobs as fast as the API server takes them, in each namespace as many."""

    def some(first: int) -> None:
        apis = [Api(kubeconfig, name) for name in namespaces]
        for number in range(first, count, CREATORS):
            apis[number % len(apis)].create(manifest(f"job-{number}"))

    with ThreadPoolExecutor(CREATORS) as pool:
        list(pool.map(some, range(CREATORS)))


def children_missing(apis: Sequence[Api], count: int) -> int:
    """Return how many children of some jobs are not there yet."""
    kinds, others = (JOB, CLAIM, CONFIG_MAP, POLICY), {CONFIG_MAP: 1}  # the cluster's own, in each namespace
    there = sum(api.count(kind) - others.get(kind, 0) for api in apis for kind in kinds)
    return count * len(kinds) - there


def longest(count: int) -> float:
    """Return how many seconds a phase with some jobs may take."""
    return LEAST_SECONDS + count / SLOWEST_PER_SECOND


def between_scrapes(count: int) -> float:
    """Return how long to wait between two scrapes, each of which costs a fifth of a millisecond a job."""
    return 0.5 + count / 1000


def quiet(operator: Operator, count: int = 0) -> float:
    """Wait until the operator works and has asked for nothing for a while; return when it fell quiet."""
    eventually(lambda: operator.metric("reasoning_operator_leader"), "an operator at work", seconds=60)
    last: dict[str, float] = {}
    since = time.monotonic()

    def rests() -> bool:
        nonlocal last, since
        now = operator.requests()
        if now != last or operator.metric("reasoning_operator_workqueue_depth"):
            last, since = now, time.monotonic()
            return False
        return time.monotonic() - since >= QUIET_SECONDS

    eventually(rests, "rest", longest(count), pause=between_scrapes(count))
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


class Row(NamedTuple):
    """What a number of jobs that wait for a node costs; seconds of wall clock, but where CPU is said."""

    jobs: int
    created: float
    """Until the API server had taken them all."""
    children: float
    """Until all their children were there."""
    cpu_per_job: float
    """Milliseconds of the operator's CPU."""
    requests_per_job: float
    rest_cpu: float
    """Seconds of CPU in IDLE_SECONDS at rest."""
    rest: str
    memory: float
    """MiB, at most."""
    restart: float
    """Until the operator was at rest again."""
    restart_cpu: float
    restart_writes: int
    restart_memory: float
    """MiB, at most."""


def scale(count: int, spread_over: int) -> Row:
    """Return what a number of jobs in some namespaces costs that wait for a node.

    Raises
    ------
    AssertionError
        If a phase takes longer than it may.
    """
    limit, pause = longest(count), between_scrapes(count)
    with control_plane() as kubeconfig, tempfile.TemporaryDirectory() as folder:
        install_crd(kubeconfig)
        operator, namespaces = Operator(kubeconfig, Path(folder) / "log"), make_namespaces(kubeconfig, spread_over)
        apis = [Api(kubeconfig, name) for name in namespaces]
        with running(operator):
            quiet(operator)
            before, cpu, start = cpu_of_control_plane(kubeconfig), operator.cpu_seconds(), time.monotonic()
            create_jobs(kubeconfig, count, namespaces)
            created = time.monotonic() - start
            eventually(lambda: children_missing(apis, count) == 0, "all children", limit, pause=0.5)
            children = time.monotonic() - start
            quiet(operator, count)
            own, requests = operator.cpu_seconds() - cpu, operator.requests()
            after = cpu_of_control_plane(kubeconfig)
            others = {name: f"{seconds - before.get(name, 0):.1f} s" for name, seconds in after.items()}
            print(f"{count} jobs: requests {requests}; CPU of the control plane {others}", flush=True)
            cpu = operator.cpu_seconds()
            rest = idle_cost(operator)
            rest_cpu, memory = operator.cpu_seconds() - cpu, operator.memory_mib(peak=True)
            operator.stop()
            start = time.monotonic()
            operator.start()
            eventually(lambda: operator.metric("reasoning_operator_jobs") >= count, "every job", limit, pause=pause)
            settled = quiet(operator, count) - start
            again = operator.requests()
            return Row(
                jobs=count,
                created=created,
                children=children,
                cpu_per_job=1000 * own / count,
                requests_per_job=sum(requests.values()) / count,
                rest_cpu=rest_cpu,
                rest=rest,
                memory=memory,
                restart=settled,
                restart_cpu=operator.cpu_seconds(),
                restart_writes=round(sum(made for method, made in again.items() if method != "GET")),
                restart_memory=operator.memory_mib(peak=True),
            )


def table(rows: Sequence[Row]) -> str:
    """Return rows as a table in Markdown."""
    head = ("jobs", "created", "all children", "CPU a job", "requests a job", f"CPU in {IDLE_SECONDS} s at rest")
    head += ("requests at rest", "memory", "restart", "its CPU", "its writes", "its memory")
    lines = [head, ("---",) * len(head)]
    for row in rows:
        lines.append(
            (
                f"{row.jobs:,}",
                f"{row.created:.1f} s",
                f"{row.children:.1f} s",
                f"{row.cpu_per_job:.1f} ms",
                f"{row.requests_per_job:.1f}",
                f"{row.rest_cpu:.2f} s",
                row.rest,
                f"{row.memory:.0f} MiB",
                f"{row.restart:.1f} s",
                f"{row.restart_cpu:.1f} s",
                str(row.restart_writes),
                f"{row.restart_memory:.0f} MiB",
            )
        )
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main() -> None:
    """Print the figures that the command line asks for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--scale", type=int, nargs="+", metavar="N", help="measure N jobs that wait for a node")
    parser.add_argument("--namespaces", type=int, default=1, metavar="N", help="spread them over N namespaces")
    arguments = parser.parse_args()
    if arguments.scale:
        rows: list[Row] = []
        for count in arguments.scale:
            rows.append(scale(count, arguments.namespaces))
            print(table(rows), flush=True)  # what is known should the next be given up
    else:
        latencies()


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
