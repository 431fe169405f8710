"""Runs of the trainer in processes of their own, as a pod starts it: shared by tests and benchmarks on a GPU."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PAUSE = 0.2
Json = dict[str, Any]


def merge(base: Json, changes: Mapping[str, Any]) -> Json:
    """Return a document changed as RFC 7396 has it: objects field by field, and None takes a field away."""
    merged = dict(base)
    for name, value in changes.items():
        inner = isinstance(value, Mapping) and isinstance(merged.get(name), Mapping)
        merged[name] = merge(merged[name], value) if inner else value
    return {name: value for name, value in merged.items() if value is not None}


def manifest(spec: Json) -> Json:
    """Return the manifest of a spec."""
    return {
        "apiVersion": "reasoning-operator.io/v1alpha1",
        "kind": "ReasoningTrainingJob",
        "metadata": {"name": "measured"},
        "spec": spec,
    }


def short_job(model: Path, /, *, on_gpu: bool, **changes: Any) -> Json:
    """Return the spec of a job of twenty short steps on a model of `make_random_model.py`, for a GPU or for a CPU.

    A model of random weights learns nothing, and nothing is demanded of it.
    """
    spec: Json = {
        "backend": "unsloth" if on_gpu else "transformers",
        "model": {"source": f"file://{model}", "loadIn": "16bit", "maxSequenceLength": 256},
        "lora": {"rank": 16, "alpha": 16},
        "chatTemplate": {"systemPrompt": ""},
        "data": {"train": {"source": f"file://{model}/rows.jsonl", "limit": 64}},
        "reinforce": {
            "steps": 20,
            "numGenerations": 4,
            "batchSize": 8,
            "maxCompletionLength": 32,
            "learningRate": 1e-6,
            "maskTruncated": False,
        },
        "rewards": [
            {"name": "brief", "builtin": "lengthPenalty", "params": {"targetTokens": 8}},
            {"name": "fluent", "builtin": "fluency"},
        ],
        "evaluation": {"enabled": False},
        "guards": {"learningSignal": {"action": "off"}},
        "checkpoint": {"everySteps": 5},
        "parallelism": {"gpusPerNode": 1 if on_gpu else 0},
    }
    if on_gpu:  # several at once share the card
        spec["inference"] = {"gpuMemoryUtilization": 0.1}
    return merge(spec, changes)


@dataclass
class Run:
    """One run of the trainer, in one or more attempts.

    Attributes
    ----------
    folder
        Where manifest, log and output lie.
    spec
        What is trained.
    environment
        Variables beside this process' own.
    program
        What Python is started with: the trainer, or a script that wraps it.
    """

    folder: Path
    spec: Json
    environment: Mapping[str, str] = field(default_factory=dict)
    program: tuple[str, ...] = ("-m", "reasoning_trainer")
    started: float = 0.0
    port: int = 0
    process: subprocess.Popen[bytes] | None = None

    @property
    def output(self) -> Path:
        """The folder that the trainer writes to."""
        return self.folder / "run"

    def start(self) -> Run:
        """Start an attempt."""
        self.folder.mkdir(parents=True, exist_ok=True)
        job, word = self.folder / "job.json", self.folder / "last-word.json"
        job.write_text(json.dumps(manifest(self.spec)), "utf-8")
        word.unlink(missing_ok=True)
        self.port = free_port()
        command = [sys.executable, *self.program, "run", str(job), "--output", str(self.output)]
        command += ["--port", str(self.port), "--termination-log", str(word)]
        paths = os.pathsep.join([str(ROOT / "trainer_image"), *filter(None, [os.environ.get("PYTHONPATH")])])
        # TRL tries a few ports in their order: runs that start at once, and not in pods of their own, take the same
        own = {"PYTHONPATH": paths, "PYTHONUNBUFFERED": "1", "MASTER_PORT": str(free_port())}
        self.started = time.monotonic()
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                command,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.folder,  # Unsloth and vLLM write to the working directory
                env=os.environ | own | dict(self.environment),
            )
        return self

    def until(self, reached: Callable[[Json], bool], seconds: float) -> Json:
        """Wait for a report in which something is reached, and return it.

        Raises
        ------
        RuntimeError
            If the attempt ends first, or the time is over.
        """
        deadline = time.monotonic() + seconds
        while not reached(report := self.live()):
            if self.ended:
                raise RuntimeError(f"the attempt ended before it got there: {self.log_end()}")
            if time.monotonic() >= deadline:
                raise RuntimeError(f"not there within {seconds:g} s: {self.log_end()}")
            time.sleep(PAUSE)
        return report

    def wait(self, seconds: float) -> int:
        """Wait for the attempt's end and return its exit code; it is killed when the time is over."""
        assert self.process is not None
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.signal(signal.SIGKILL)
            return self.process.wait()

    def signal(self, number: int) -> None:
        """Send the attempt a signal."""
        assert self.process is not None
        self.process.send_signal(number)

    @property
    def ended(self) -> bool:
        """Whether the attempt is over."""
        return self.process is not None and self.process.poll() is not None

    def live(self) -> Json:
        """Return the report as the attempt serves it now; empty while it does not."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/progress", timeout=5) as answer:
                report: Json = json.load(answer)
        except OSError:
            return {}
        return report

    def report(self) -> Json:
        """Return the last report on the volume, where not every one is kept; empty if there is none yet."""
        path = self.output / "progress.json"
        report: Json = json.loads(path.read_text("utf-8")) if path.exists() else {}
        return report

    def last_word(self) -> Json:
        """Return what the attempt said of its end."""
        word: Json = json.loads((self.folder / "last-word.json").read_text("utf-8"))
        return word

    def history(self) -> list[Json]:
        """Return what was logged of every step of RL."""
        lines = (self.output / "reinforce/history.jsonl").read_text("utf-8").splitlines()
        return [json.loads(line) for line in lines]

    def log_end(self, characters: int = 2000) -> str:
        """Return the end of the log."""
        path = self.folder / "log"
        return path.read_text("utf-8", "replace")[-characters:] if path.exists() else ""


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def step_of(report: Json) -> int:
    """Return how many steps of RL a report tells of."""
    if report.get("stage") in ("evaluate", "export"):
        return 1 << 30
    return int(report.get("progress", {}).get("step") or 0) if report.get("stage") == "reinforce" else 0
