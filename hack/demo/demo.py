"""The README's demo: installs the chart, applies the example job and shows it until the adapter lies on its volume.

The cluster and the images are there already: `make demo` sees to them first. On a terminal the job is shown as a live
display, elsewhere as a line for each change. The exit code is 0 only if the job succeeded.
"""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console
from rich.live import Live
from rich.markup import escape

from reasoning_contract.report import EvaluationStatus
from reasoning_shared.job_view import JobView, line, read_status, scores

ROOT = Path(__file__).resolve().parents[2]
LOCALCLUSTER = ROOT / "hack/localcluster/localcluster.py"
EXAMPLE = ROOT / "examples/sums.yaml"
NAMESPACE, SYSTEM_NAMESPACE = "demo", "reasoning-operator-system"
OPERATOR_IMAGE, TRAINER_IMAGE = "localhost/reasoning-operator:dev", "localhost/reasoning-trainer:demo"
DEADLINE_SECONDS = 60 * 60
"""Longest time that the demo waits for the job: it takes a tenth of it on two free cores."""

console = Console(highlight=False)
Job = dict[str, Any]


class DemoError(Exception):
    """Something that the demo cannot go on without."""


def run(*command: str | Path, stdin: str | None = None) -> str:
    """Run a command and return what it printed."""
    done = subprocess.run([str(word) for word in command], input=stdin, text=True, capture_output=True, check=False)
    if done.returncode:
        raise DemoError(f"{' '.join(str(word) for word in command)}\n{done.stdout}{done.stderr}".rstrip())
    return done.stdout


def localcluster(*words: str) -> str:
    """Ask the local cluster's driver."""
    return run(sys.executable, LOCALCLUSTER, *words).strip()


class Cluster:
    """The local cluster, through its own kubectl and helm."""

    def __init__(self) -> None:
        self.kubeconfig = localcluster("kubeconfig")
        self._tools = {name: localcluster("tool", name) for name in ("kubectl", "helm")}

    def kubectl(self, *words: str | Path, stdin: str | None = None) -> str:
        """Run kubectl."""
        return run(self._tools["kubectl"], "--kubeconfig", self.kubeconfig, *words, stdin=stdin)

    def helm(self, *words: str | Path) -> str:
        """Run helm."""
        return run(self._tools["helm"], "--kubeconfig", self.kubeconfig, *words)

    def job(self, name: str) -> Job:
        """Read the job."""
        return dict(json.loads(self.kubectl("get", "rtj", name, "-n", NAMESPACE, "-o", "json")))


def install(cluster: Cluster) -> None:
    """Install the operator's chart, or upgrade it to the image that was just built."""
    image, tag = OPERATOR_IMAGE.rsplit(":", 1)
    settings = {
        "image.repository": image,
        "image.tag": tag,
        "image.pullPolicy": "Never",
        "trainer.cpuImage": TRAINER_IMAGE,
    }
    chart = ROOT / "helm/reasoning-operator"
    flags = [f"--set={key}={value}" for key, value in settings.items()]
    where = ["--namespace", SYSTEM_NAMESPACE, "--create-namespace"]
    cluster.helm("upgrade", "--install", "reasoning-operator", chart, *where, *flags)
    # The tag stays the same from build to build: only a restart takes the new image up.
    cluster.kubectl("rollout", "restart", "deployment/reasoning-operator", "-n", SYSTEM_NAMESPACE)
    wait = ["--timeout=120s", "-n", SYSTEM_NAMESPACE]
    cluster.kubectl("rollout", "status", "deployment/reasoning-operator", *wait)


def apply(cluster: Cluster, example: Path) -> str:
    """Apply the example afresh and return the job's name."""
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    cluster.kubectl("apply", "-f", "-", stdin=json.dumps(namespace))
    documents = list(yaml.safe_load_all(example.read_text(encoding="utf-8")))
    name = next(str(each["metadata"]["name"]) for each in documents if each["kind"] == "ReasoningTrainingJob")
    cluster.kubectl("delete", "rtj", name, "-n", NAMESPACE, "--ignore-not-found", "--cascade=foreground")
    cluster.kubectl("apply", "-n", NAMESPACE, "-f", example)
    return name


def follow(cluster: Cluster, name: str) -> Iterator[Job]:
    """Yield the job once a second until it has ended."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while time.monotonic() < deadline:
        job = cluster.job(name)
        yield job
        if job.get("status", {}).get("phase") in ("Succeeded", "Failed"):
            return
        time.sleep(1)
    raise DemoError(f"the job did not end within {DEADLINE_SECONDS // 60} minutes: kubectl describe rtj {name}")


def show(jobs: Iterator[Job]) -> Job:
    """Show the job while it runs and return it as it ended."""
    job: Job = {}
    if not console.is_terminal:
        said = ""
        for job in jobs:
            if (now := line(job)) != said:
                console.print(now, soft_wrap=True, markup=False)
                said = now
        return job
    view = JobView(lambda: datetime.now(UTC))
    with Live(view, console=console, refresh_per_second=4):
        for job in jobs:
            view.take(job)
    return job


def conclude(job: Job) -> int:
    """Say what the run showed and where its adapter lies; return the exit code."""
    name, status = job["metadata"]["name"], read_status(job)
    if status.phase != "Succeeded":
        told = status.failure.told if status.failure else ""
        console.print(f"\n[red]The job failed.[/] {escape(told)}")
        look_closer("describe", "rtj", name)
        return 1
    if (evaluation := status.evaluation) is not None:
        console.print(f"\nHeld-out accuracy on {evaluation.held_out.size} rows that were never trained on:")
        console.print(*scores(evaluation))
        console.print(_verdict(evaluation))
    claim = status.storage.claim_name if status.storage else ""
    for artifact in status.artifacts or []:
        console.print(f"{artifact.kind}: {artifact.path} on claim {claim}", soft_wrap=True, markup=False)
    look_closer("get", "rtj", "-o", "wide")
    return 0


def look_closer(*words: str) -> None:
    """Print a command of kubectl that can be pasted into any shell."""
    export = f"export KUBECONFIG={shlex.quote(localcluster('kubeconfig'))}"
    command = shlex.join([localcluster("tool", "kubectl"), "-n", NAMESPACE, *words])
    # as it is: words in square brackets would be taken for colours
    console.print(f"\nLook closer:  {export}\n              {command}", soft_wrap=True, markup=False)


def _verdict(evaluation: EvaluationStatus) -> str:
    gain, p_value = evaluation.reinforce_improvement, evaluation.reinforce_p_value
    if gain is None or p_value is None:
        return "RL was not compared with the warm-up."
    test = f"one-sided exact McNemar test, p = {p_value:.2g}"
    if gain > 0 and p_value < 0.05:
        return f"RL raised the accuracy of the warmed-up model by {gain:.3f} ({test})."
    return f"RL did not raise the accuracy of the warmed-up model: the difference is {gain:+.3f} ({test})."


def main() -> int:
    """Run the demo."""
    try:
        cluster = Cluster()
        console.print("Installing the operator's chart")
        install(cluster)
        example = Path(sys.argv[1]) if len(sys.argv) > 1 else EXAMPLE
        console.print(f"kubectl apply -f {example.name}", markup=False)
        return conclude(show(follow(cluster, apply(cluster, example))))
    except DemoError as failure:
        console.print(f"[red]The demo stopped:[/] {escape(str(failure))}", soft_wrap=True)
        return 1
    except KeyboardInterrupt:
        console.print("\nStopped watching; the job goes on in the cluster. `make down` ends it.")
        return 130


if __name__ == "__main__":
    sys.exit(main())
