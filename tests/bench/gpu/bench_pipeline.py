"""Runs a manifest's whole pipeline on this machine's GPU and prints one JSON line.

    python tests/bench/gpu/bench_pipeline.py examples/gpu/smollm2.yaml --set spec.reinforce.seed=1 --output DIR

The line has the exit code, seconds from process start to each stage's first report, seconds of a step (median), the
most memory that the card had in use, and the evaluation as it stands on the object's status.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import yaml


def change(document: dict[str, Any], assignment: str) -> None:
    """Set a field, ``spec.reinforce.seed=1``; the value is YAML."""
    path, _, value = assignment.partition("=")
    *parents, last = path.split(".")
    for parent in parents:
        document = document.setdefault(parent, {})
    document[last] = yaml.safe_load(value)


def watch(process: subprocess.Popen[str], progress: Path, start: float) -> dict[str, Any]:
    """Follow the run's own report and the card's memory until the process ends."""
    seen: dict[str, float] = {}
    steps: list[float] = []
    most, last_step = 0, None
    while process.poll() is None:
        time.sleep(0.25)
        query = ["nvidia-smi", "--query-gpu=memory.used", "--format=csv,noheader,nounits"]
        most = max(most, int(subprocess.run(query, capture_output=True, text=True, check=True).stdout.split()[0]))
        try:
            report = json.loads(progress.read_text("utf-8"))
        except (OSError, ValueError):
            continue
        seen.setdefault(report["stage"], round(time.monotonic() - start, 1))
        status = report["progress"]
        if report["stage"] == "reinforce" and status.get("step") and status["step"] != last_step:
            last_step = status["step"]
            seen.setdefault("first RL step seen", round(time.monotonic() - start, 1))
            if status.get("stepSeconds"):
                steps.append(status["stepSeconds"])
    return {"started": seen, "card_mib": most, "step_seconds": round(statistics.median(steps), 3) if steps else None}


def main() -> None:
    """Run the manifest once."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--set", action="append", default=[], metavar="FIELD=VALUE")
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    document = yaml.safe_load(options.manifest.read_text("utf-8"))
    for assignment in options.set:
        change(document, assignment)
    options.output.mkdir(parents=True)
    manifest = options.output / "job.yaml"
    manifest.write_text(yaml.safe_dump(document), "utf-8")
    run = options.output / "run"
    start = time.monotonic()
    command = [sys.executable, "-m", "reasoning_trainer", "run", str(manifest), "--output", str(run)]
    log = (options.output / "log").open("w")
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=options.output)
    stamper = threading.Thread(target=_stamp, args=(process, log, start))
    stamper.start()
    figures = watch(process, run / "progress.json", start)
    stamper.join()
    progress = json.loads((run / "progress.json").read_text("utf-8")) if (run / "progress.json").exists() else {}
    figures |= {"manifest": options.manifest.name, "set": options.set, "exit": process.returncode}
    figures |= {"seconds": round(time.monotonic() - start, 1), "evaluation": progress.get("evaluation")}
    print(json.dumps(figures), flush=True)


def _stamp(process: subprocess.Popen[str], log: Any, start: float) -> None:
    for line in process.stdout or ():
        print(f"{time.monotonic() - start:7.1f} {line}", end="", file=log, flush=True)


if __name__ == "__main__":
    main()
