"""Trains by every manifest of examples/algorithms and prints what each gained: `python -m hack.algorithms.run_all`.

`make algorithms` makes model and rows first. The table is Markdown, as docs/algorithms.md has it. The exit code is 0
only if every run ended well: each manifest asks for a gain in held-out accuracy that is not chance.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from reasoning_contract.progress import Progress
from reasoning_contract.report import Score
from reasoning_contract.spec import PREFERENCE
from reasoning_trainer.environment import cpus
from reasoning_trainer.job import read_job
from reasoning_trainer.reporting.versions import versions

ROOT = Path(__file__).resolve().parents[2]
MANIFESTS = ("grpo", "gspo", "drgrpo", "dapo", "scalerl", "rloo", "ppo", "dpo", "orpo")
HEADER = (
    "| algorithm | steps | held-out accuracy | 95% intervals | gain, p | margin of held-out pairs, nats | seconds |\n"
    "| --- | --- | --- | --- | --- | --- | --- |"
)


@dataclass(frozen=True)
class Run:
    """One run: its manifest, what its process returned, what it reported, and how long it took, start to end."""

    name: str
    exit_code: int
    progress: Progress
    seconds: float


def run(name: str, claims: Path, output: Path) -> Run:
    """Run a manifest from its first step in a process of its own, whose display is seen."""
    shutil.rmtree(output, ignore_errors=True)
    manifest = ROOT / f"examples/algorithms/{name}.yaml"
    print(f"\n{manifest.relative_to(ROOT)}", flush=True)
    command = [sys.executable, "-m", "reasoning_trainer", "run", manifest, "--claims", claims, "--output", output]
    started = time.monotonic()
    exit_code = subprocess.run([str(word) for word in command], check=False).returncode
    seconds = time.monotonic() - started
    progress = Progress.model_validate_json((output / "progress.json").read_text("utf-8"))
    return Run(name, exit_code, progress, seconds)


def row(done: Run) -> str:
    """Return a run as a row of the table."""
    spec = read_job(ROOT / f"examples/algorithms/{done.name}.yaml").spec
    evaluation = done.progress.evaluation
    base, final = (evaluation.held_out.base, evaluation.held_out.reinforce) if evaluation else (None, None)
    if evaluation is None or base is None or final is None:
        return (
            f"| {spec.reinforce.algorithm} | {spec.reinforce.steps} | ended with exit code {done.exit_code} | | | | |"
        )
    elsewhere = "" if spec.reinforce.algorithm in PREFERENCE else " (not trained on)"
    cells = [
        spec.reinforce.algorithm,
        str(spec.reinforce.steps),
        f"{base.accuracy:.3f} → {final.accuracy:.3f}",
        f"{_interval(base)}, {_interval(final)}",
        f"{evaluation.improvement:+.3f}, {evaluation.p_value:.2g}",
        f"{base.margin:+.2f} → {final.margin:+.2f}{elsewhere}",
        f"{done.seconds:.0f}",
    ]
    return f"| {' | '.join(cells)} |"


def _interval(score: Score) -> str:
    low, high = score.ci95 or (float("nan"),) * 2  # every manifest here has answers
    return f"{low:.3f} - {high:.3f}"


def environment() -> str:
    """Return what the figures were measured with."""
    names = ("torch", "transformers", "trl", "peft")
    libraries = ", ".join(f"{name} {version}" for name, version in versions().items() if name in names)
    load = os.getloadavg()[0]
    threads = os.environ.get("OMP_NUM_THREADS", str(cpus()))
    return (
        f"{datetime.now(UTC):%-d %B %Y}, {cpus()} CPUs of {platform.machine()}, threads: {threads}, "
        f"load {load:.1f} at the end, Python {platform.python_version()}, {libraries}"
    )


def main() -> int:
    """Run all, or those that are named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=MANIFESTS, metavar="NAME", help=f"of {', '.join(MANIFESTS)}")
    parser.add_argument("--claims", type=Path, required=True, help="folder with parity/, from make_parity")
    parser.add_argument("--output", type=Path, required=True, help="folder for the runs")
    options = parser.parse_args()
    runs = [run(name, options.claims, options.output / name) for name in options.names]
    print("\n".join(["", HEADER, *map(row, runs), "", environment()]), flush=True)
    return max(done.exit_code for done in runs)


if __name__ == "__main__":
    sys.exit(main())
