"""Measures what our code costs a training step beside TRL's own, and prints one JSON line a figure.

``python tests/bench/bench_step_overhead.py``: GRPO on the CPU through the whole trainer, its exporter scraped as by an
operator and a Prometheus would. In one and the same run our callbacks (progress, metrics, guards, reports to the
supervisor) are called at every other step and left out at the steps between, so that whatever else the machine does
falls on both alike. Beside the steps' wall time it gives the time spent inside the callbacks, and of that the CPU time,
which a busy machine does not stretch as much; and the CPU time of the supervisor, which shows, serves and keeps the
reports. Then it gives what a start takes, with two processes to begin.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "operator"), str(ROOT / "trainer_image")]
os.environ.setdefault("OMP_NUM_THREADS", "1")

from reasoning_trainer import environment  # noqa: E402

environment.prepare()

from tests.trainer.models import make_model  # noqa: E402
from transformers import TrainerCallback  # noqa: E402

from reasoning_contract.report import TrainingStatus  # noqa: E402
from reasoning_trainer.commands.run import Options, run  # noqa: E402
from reasoning_trainer.reporting.display import Display  # noqa: E402
from reasoning_trainer.reporting.memory import memory_status  # noqa: E402
from reasoning_trainer.reporting.tracker import Phase, Tracker  # noqa: E402
from reasoning_trainer.supervisor import process  # noqa: E402
from reasoning_trainer.supervisor.exporter import Exporter  # noqa: E402

MODELS = {
    "tiny": {"width": 64, "layers": 2, "steps": 121, "tokens": 16},
    "small": {"width": 512, "layers": 8, "steps": 31, "tokens": 32},
}
"""Name -> size of a random Llama, steps (the last is not measured), tokens of a completion; 8 completions a step."""
WARM = 3
"""Steps at the beginning that are not counted."""
OPERATOR_SECONDS, PROMETHEUS_SECONDS = 5.0, 15.0
SCRAPES = 200
STARTS = 5
WORKER = "--worker"
"""Says to be the process that trains."""


class Clock:
    """The beginnings of the steps, and the time spent in our callbacks, by step."""

    def __init__(self) -> None:
        self.begins: list[float] = []
        self.wall: dict[int, float] = {}
        self.cpu: dict[int, float] = {}

    def read(self, file: Path) -> None:
        """Take over what the worker's clock showed."""
        seen = json.loads(file.read_text())
        self.begins = seen["begins"]
        self.wall = {int(step): seconds for step, seconds in seen["wall"].items()}
        self.cpu = {int(step): seconds for step, seconds in seen["cpu"].items()}

    def ours(self, step: int) -> bool:
        """Whether our callbacks are called at a step, counted from 0."""
        return step % 2 == 0

    @contextmanager
    def inside(self) -> Iterator[None]:
        """Count time as spent in our callbacks."""
        wall, cpu, step = time.perf_counter(), time.thread_time(), len(self.begins) - 1
        yield
        self.wall[step] = self.wall.get(step, 0.0) + time.perf_counter() - wall
        self.cpu[step] = self.cpu.get(step, 0.0) + time.thread_time() - cpu


class Begin(TrainerCallback):
    """Notes when steps begin."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def on_step_begin(self, *arguments: Any, **named: Any) -> None:
        """Note it."""
        self._clock.begins.append(time.perf_counter())


class EveryOther(TrainerCallback):
    """Calls a callback of ours at every other step, and measures it."""

    def __init__(self, inner: TrainerCallback, clock: Clock) -> None:
        self._inner, self._clock = inner, clock

    def on_train_begin(self, *arguments: Any, **named: Any) -> None:
        """Pass it on."""
        self._inner.on_train_begin(*arguments, **named)

    def on_save(self, *arguments: Any, **named: Any) -> None:
        """Pass it on: the last step's."""
        self._inner.on_save(*arguments, **named)

    def on_step_end(self, *arguments: Any, **named: Any) -> None:
        """Pass it on, or not."""
        self._pass(self._inner.on_step_end, arguments, named)

    def on_log(self, *arguments: Any, **named: Any) -> None:
        """Pass it on, or not."""
        self._pass(self._inner.on_log, arguments, named)

    def _pass(self, event: Callable[..., Any], arguments: Sequence[Any], named: dict[str, Any]) -> None:
        if self._clock.ours(len(self._clock.begins) - 1):
            with self._clock.inside():
                event(*arguments, **named)


def steps(name: str, folder: Path) -> dict[str, Any]:
    """Train, and return the figures."""
    model = MODELS[name]
    make_model(folder / "model", int(model["width"]), int(model["layers"]))
    port, clock = free_port(), Clock()
    process.COMMAND = (sys.executable, __file__, WORKER, str(folder / "clock.json"))
    before = time.process_time()
    with Display() as display, scraped(port):
        outcome = run(Options(write_job(name, folder), folder / "run", port=port), display)
    supervised = time.process_time() - before
    assert outcome.exit_code == 0, outcome
    clock.read(folder / "clock.json")
    spans = [later - earlier for earlier, later in zip(clock.begins, clock.begins[1:], strict=False)]
    counted = range(WARM, len(spans))
    with_ours = [spans[step] for step in counted if clock.ours(step)]
    without = [spans[step] for step in counted if not clock.ours(step)]
    pairs = [mine / plain - 1 for mine, plain in zip(with_ours, without, strict=False)]
    inside = {
        kind: [each[step] for step in counted if clock.ours(step)]
        for kind, each in (("wall", clock.wall), ("cpu", clock.cpu))
    }
    return {
        "figure": "step",
        "model": name,
        "steps": {"with": len(with_ours), "without": len(without)},
        "plain_ms": milliseconds(without),
        "with_ours_ms": milliseconds(with_ours),
        "pairwise_overhead_percent": quartiles([100 * each for each in pairs]),
        "callbacks_wall_ms": milliseconds(inside["wall"]),
        "callbacks_cpu_ms": milliseconds(inside["cpu"]),
        "callbacks_wall_percent": round(100 * statistics.median(inside["wall"]) / statistics.median(without), 3),
        "callbacks_cpu_percent": round(100 * statistics.median(inside["cpu"]) / statistics.median(without), 3),
        "supervisor_cpu_ms_a_step": round(1000 * supervised / len(clock.begins), 3),
        "supervisor_cpu_percent": round(100 * supervised / (clock.begins[-1] - clock.begins[0]), 3),
    }


def work(order: list[str], file: Path) -> int:
    """Train with every other step's callbacks, and write the clock: the worker's part."""
    from reasoning_trainer import worker
    from reasoning_trainer.stages import reinforce

    clock, callbacks = Clock(), reinforce._callbacks
    reinforce._callbacks = lambda *given: [Begin(clock), *(EveryOther(each, clock) for each in callbacks(*given))]
    code = worker.main(order)
    file.write_text(json.dumps(vars(clock)))
    return code


def starts() -> Iterator[dict[str, Any]]:
    """Return how long the trainer takes until it answers, and until its worker has something to tell."""
    answers, reports = [], []
    for _ in range(STARTS):
        with tempfile.TemporaryDirectory() as folder:
            answered, reported = start(Path(folder))
        answers.append(answered)
        reports.append(reported)
    yield {"figure": "start", "answers_s": quartiles(answers), "worker_reports_s": quartiles(reports)}


def start(folder: Path) -> tuple[float, float]:
    """Start the trainer, and return the seconds until it answers and until it reads the data; then stop it."""
    make_model(folder / "model", 64, 2)
    port, began, answered = free_port(), time.perf_counter(), 0.0
    command = [sys.executable, "-m", "reasoning_trainer", "run", str(write_job("tiny", folder)), "--port", str(port)]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "trainer_image")}
    quiet = subprocess.DEVNULL
    with subprocess.Popen([*command, "--output", str(folder / "run")], env=environment, stdout=quiet) as trainer:
        while trainer.poll() is None:
            try:
                detail = json.loads(fetch(port, "progress"))["progress"].get("detail")
            except OSError:  # it does not serve yet
                time.sleep(0.005)
                continue
            answered = answered or time.perf_counter() - began
            if detail != "starting":
                break
        reported = time.perf_counter() - began
        trainer.send_signal(signal.SIGTERM)
    return answered, reported


def write_job(name: str, folder: Path) -> Path:
    """Write a manifest of nothing but RL steps."""
    model = MODELS[name]
    spec = {
        "model": {"source": f"file://{folder}/model", "maxSequenceLength": 128},
        "chatTemplate": {"systemPrompt": ""},
        "data": {"train": {"rows": [{"prompt": f"{number}+1", "answer": str(number + 1)} for number in range(64)]}},
        "reinforce": {
            "steps": model["steps"],
            "batchSize": 8,
            "numGenerations": 8,
            "maxCompletionLength": model["tokens"],
        },
        "rewards": [{"name": "correct", "builtin": "correctness"}, {"name": "format", "builtin": "format"}],
        "evaluation": {"enabled": False},
        # it looks, and does not stop a run in which nothing is learned
        "guards": {"learningSignal": {"action": "warn"}},
        "checkpoint": {"everySteps": 100000},
        "parallelism": {"gpusPerNode": 0},
    }
    path = folder / "job.json"
    path.write_text(json.dumps({"kind": "ReasoningTrainingJob", "metadata": {"name": name}, "spec": spec}))
    return path


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("", 0))
        return int(probe.getsockname()[1])


@contextmanager
def scraped(port: int) -> Iterator[None]:
    """Ask for /progress and /metrics at the usual intervals."""
    done = threading.Event()

    def scrape(path: str, seconds: float) -> None:
        while not done.wait(seconds):
            try:
                fetch(port, path)
            except OSError:  # it does not serve yet, or any more
                continue

    for path, seconds in (("progress", OPERATOR_SECONDS), ("metrics", PROMETHEUS_SECONDS)):
        threading.Thread(target=scrape, args=(path, seconds), daemon=True).start()
    yield
    done.set()


def fetch(port: int, path: str) -> bytes:
    """Read what the exporter serves."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/{path}", timeout=5) as answer:
        return bytes(answer.read())


def scrapes() -> Iterator[dict[str, Any]]:
    """Return the CPU time of a scrape, the asking side in this process included."""
    tracker = Tracker([Phase("reinforce", "reinforce", 1.0)], memory=memory_status)
    figures = {"loss": 0.1, "reward": 1.0, "rewards": {"correct": 0.5, "format": 0.5}, "kl": 0.1, "grad_norm": 1.0}
    tracker.begin("reinforce", total=100)
    tracker.report(training=TrainingStatus.model_validate(figures))
    exporter = Exporter(0, tracker.progress)
    share = 0.0
    for path, seconds in (("progress", OPERATOR_SECONDS), ("metrics", PROMETHEUS_SECONDS)):
        start = time.process_time()
        for _ in range(SCRAPES):
            fetch(exporter.port, path)
        each = (time.process_time() - start) / SCRAPES
        share += each / seconds
        yield {"figure": f"scrape of /{path}", "cpu_ms": round(1000 * each, 3), "every_seconds": seconds}
    exporter.close()
    yield {"figure": "scrapes", "cpu_percent_of_a_core": round(100 * share, 4)}


def milliseconds(values: Sequence[float]) -> dict[str, float]:
    """Return quartiles of seconds, in milliseconds."""
    return quartiles([1000 * value for value in values])


def quartiles(values: Sequence[float]) -> dict[str, float]:
    """Return median and quartiles."""
    low, middle, high = statistics.quantiles(values, n=4)
    return {"median": round(middle, 3), "q1": round(low, 3), "q3": round(high, 3)}


def main() -> None:
    """Print the figures."""
    for name in MODELS:
        with tempfile.TemporaryDirectory() as folder:
            print(json.dumps(steps(name, Path(folder)) | {"load_average": os.getloadavg()[0]}), flush=True)
    for figure in (*starts(), *scrapes()):
        print(json.dumps(figure), flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == [WORKER]:
        sys.exit(work(sys.argv[3:], Path(sys.argv[2])))
    main()
