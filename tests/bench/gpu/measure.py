"""Runs the cases of `cases.py` on this machine's GPUs and prints one JSON line each.

    python -m tests.bench.gpu.measure start --out DIR            one part; without a name, all but `breakdown`
    python -m tests.bench.gpu.measure --list                     parts and the longest time that each takes
    python -m tests.bench.gpu.measure start --out DIR --rehearse  on the CPU, with tiny models

DIR gets PART.jsonl with the lines and PART.log with the ends of the logs. A line has seconds from process start to what
was first seen in the run's report, seconds of a step (median), tokens a second, the GPU's use, the most memory by
PyTorch's and by the card's count, both beside the estimate, and the evaluation.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from tests.bench.gpu.cases import AT_ONCE, CASES, PARTS, Case, Machine, spec_of
from tests.gpu.runs import ROOT, Json, Run, step_of

from reasoning_contract.resolve import resolve
from reasoning_contract.spec import Spec
from reasoning_trainer.backends.gpu_memory import estimate

DEFAULT_PARTS = [part for part in PARTS if part != "breakdown"]
PEAK = Path(__file__).with_name("peak.py")
LOG_CHARACTERS = 20_000


class Card:
    """Watches one GPU while a case runs: the most memory in use, MiB, and its use in percent."""

    def __init__(self, device: str | None) -> None:
        self._device = device
        self.mib: list[int] = []
        self.percent: list[int] = []
        self._done = threading.Event()

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Watch until the block ends."""
        thread = threading.Thread(target=self._watch)
        thread.start()
        try:
            yield
        finally:
            self._done.set()
            thread.join()

    def _watch(self) -> None:
        while self._device is not None and not self._done.wait(0.5):
            mib, percent = ask(self._device, "memory.used,utilization.gpu").split(",")
            self.mib.append(int(mib))
            self.percent.append(int(percent))


def ask(device: str, query: str) -> str:
    """Return what nvidia-smi says of a GPU, without units."""
    command = ["nvidia-smi", f"--id={device}", f"--query-gpu={query}", "--format=csv,noheader,nounits"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def measure(case: Case, machine: Machine, folder: Path, cache: Path, device: str | None) -> tuple[Json, str]:
    """Run a case and return its figures and the end of its log."""
    spec, peak = spec_of(case, machine), folder / "peak.json"
    environment = {**case.environment, "XDG_CACHE_HOME": str(cache)}
    environment |= {"CUDA_VISIBLE_DEVICES": device} if device is not None else {}
    program = (str(PEAK), str(peak)) if case.traced else ("-m", "reasoning_trainer")
    run, card = Run(folder, spec, environment, program), Card(device)
    with card.watched():
        seen, steps = follow(run.start(), case.seconds)
    code = run.wait(10)
    report = run.report()
    training = report.get("training", {})
    figures: Json = {
        "part": case.part,
        "case": case.name,
        "exit": code,
        "seconds": round(time.monotonic() - run.started, 1),
        "seen": seen,
        "steps": len(steps),
        "step_seconds": round(statistics.median(steps), 3) if steps else None,
        "tokens_per_second": training.get("tokensPerSecond"),
        "gpu_use_percent": training.get("gpuUsePercent"),
        "gpu_percent": round(statistics.mean(card.percent[-60:])) if card.percent else None,
        "card_gib": round(max(card.mib) / 1024, 2) if card.mib else None,
        "torch_gib": training.get("gpuMemoryGiB"),
        "estimate": estimated(spec, device),
        "model": report.get("model"),
        "evaluation": report.get("evaluation"),
    }
    if peak.exists():
        figures["peak"] = json.loads(peak.read_text("utf-8"))
    if code:
        figures["end"] = run.last_word() if (folder / "last-word.json").exists() else "killed: out of time"
    return figures, run.log_end(LOG_CHARACTERS)


def follow(run: Run, seconds: float) -> tuple[dict[str, float], list[float]]:
    """Follow a run to its end, or its time's: what was seen when, and seconds of the steps of RL."""
    seen: dict[str, float] = {}
    steps: list[float] = []
    last, moment = 0, 0.0
    while not run.ended and time.monotonic() - run.started < seconds:
        time.sleep(0.1)
        report = run.live()
        now = time.monotonic() - run.started
        if not report:
            continue
        progress = report["progress"]
        doing = (progress.get("detail") or "").split(", row")[0]
        seen.setdefault(f"{report['stage']} {doing}".strip(), round(now, 1))
        step = step_of(report)
        if report["stage"] == "reinforce" and step > last:
            seen.setdefault("first step of RL done", round(now, 1))
            if last:
                steps.append((now - moment) / (step - last))
            last, moment = step, now
    if not run.ended:
        run.signal(9)
    return seen, steps


def estimated(spec: Json, device: str | None) -> Any:
    """Return the estimate for a job on a GPU; None for a rehearsal's."""
    if device is None:
        return None
    resolved = resolve(Spec.model_validate(spec))
    config = json.loads(Path(resolved.model.source.removeprefix("file://"), "config.json").read_text("utf-8"))
    found = estimate(resolved, config, int(ask(device, "memory.total")) / 1024)
    return {"total_gib": round(found.total, 2), "parts": str(found)}


def make_models(part: str, machine: Machine) -> None:
    """Write the models of a part that are not there."""
    for shape in {machine.shape(case.shape) for case in CASES if case.part == part}:
        if shape != "smollm2" and not (machine.models / shape).exists():
            script = ROOT / "tests/bench/gpu/make_random_model.py"
            subprocess.run([sys.executable, script, machine.models / shape, "--shape", shape], check=True)


def run_part(part: str, machine: Machine, out: Path, devices: list[str | None]) -> None:
    """Run the cases of a part, each on a GPU that is free, and write their lines as they come."""
    make_models(part, machine)
    slots: SimpleQueue[str | None] = SimpleQueue()
    at_once = max(AT_ONCE.get(part, 1), len(devices)) if machine.on_gpu else 1
    for slot in range(at_once):
        slots.put(devices[slot % len(devices)])
    lock = threading.Lock()
    caches: dict[str, threading.Lock] = {case.cache: threading.Lock() for case in CASES}

    def one(case: Case) -> None:
        folder = Path(tempfile.mkdtemp(prefix="measured-"))
        cache = scratch / case.cache if case.cache else folder / "cache"
        # cases of one cache come one after the other: the later is to find what the earlier left
        with caches[case.cache] if case.cache else threading.Lock():
            device = slots.get()
            try:
                figures, log = measure(case, machine, folder, cache, device)
            finally:
                slots.put(device)
        with lock, (out / f"{part}.jsonl").open("a") as lines, (out / f"{part}.log").open("a") as logs:
            print(json.dumps(figures | {"at_once": at_once}), file=lines, flush=True)
            print(f"=== {case.name}\n{log}", file=logs, flush=True)
            print(json.dumps(figures), flush=True)
        shutil.rmtree(folder)

    with tempfile.TemporaryDirectory() as name, ThreadPoolExecutor(at_once) as pool:
        scratch = Path(name)
        list(pool.map(one, [case for case in CASES if case.part == part]))


def gpus() -> list[str]:
    """Return the GPUs of this machine."""
    command = ["nvidia-smi", "--query-gpu=index", "--format=csv,noheader"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()


def main() -> None:
    """Run the parts that are named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}")
    parser.add_argument("--out", type=Path, help="folder for the results")
    parser.add_argument("--models", type=Path, default=Path(tempfile.gettempdir(), "measured-models"))
    parser.add_argument("--data", type=Path, help="rows of the pipeline")
    parser.add_argument("--rehearse", action="store_true", help="on the CPU, with tiny models")
    parser.add_argument("--list", action="store_true", help="parts and their longest times")
    options = parser.parse_args()
    if options.list:
        for part in PARTS:
            cases = [case for case in CASES if case.part == part]
            longest = sum(case.seconds for case in cases) / AT_ONCE.get(part, 1)
            print(f"{part}: {len(cases)} cases, {longest:.0f} s at most on one GPU")
        return
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"no part {', '.join(sorted(unknown))}: there are {', '.join(PARTS)}")
    if options.out is None:
        parser.error("--out is missing: the folder for the results")
    options.out.mkdir(parents=True, exist_ok=True)
    devices: list[str | None] = [None] if options.rehearse else [*gpus()]
    machine = Machine(options.models, options.data, on_gpu=not options.rehearse)
    for part in options.parts or DEFAULT_PARTS:
        run_part(part, machine, options.out, devices)


if __name__ == "__main__":
    main()
