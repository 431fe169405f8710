"""Measures what the box costs, and prints one JSON line a figure.

``python tests/bench/bench_box.py``: batches of 64 completions of 2,000 characters by a function that does next to
nothing, in the box as a child process and behind the sidecar's socket, with what the same function takes in this
process; and how long a box takes to start. Beside the wall time of a batch it gives the CPU time of both sides, which
a busy machine does not stretch as much.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "trainer_image")]

from reasoning_trainer.rewards.box import Box, BoxClient, BoxProcess, Function  # noqa: E402

ROWS, CHARACTERS, BATCHES, WARM, STARTS = 64, 2_000, 300, 10, 10
SOURCE = """
def reward(completions, answer, **kwargs):
    return [float(a in c[0]["content"]) for c, a in zip(completions, answer)]
"""


def batch() -> dict[str, list[Any]]:
    """Return a batch as TRL hands one over."""
    text = "The answer is 42. " * (CHARACTERS // 18)
    return {
        "prompts": [[{"role": "user", "content": "What is 6 times 7?"}] for _ in range(ROWS)],
        "completions": [[{"role": "assistant", "content": text}] for _ in range(ROWS)],
        "completion_ids": [list(range(500)) for _ in range(ROWS)],
        "answer": ["42"] * ROWS,
    }


def calls(call: Callable[[], Any]) -> list[float]:
    """Return the seconds of each call, the first ones left out."""
    spans = []
    for _ in range(WARM + BATCHES):
        begin = time.perf_counter()
        call()
        spans.append(time.perf_counter() - begin)
    return spans[WARM:]


def through(box: Box) -> list[float]:
    """Return the seconds of each batch in a box."""
    function, arguments = Function("reward", source=SOURCE), batch()
    assert box.call(function, arguments, 10).values == [1.0] * ROWS
    return calls(lambda: box.call(function, arguments, 10))


def processor_seconds() -> float:
    """Return the CPU time of this process and of the children that have ended."""
    return sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


def child_process() -> tuple[list[float], float]:
    """Return the seconds of each batch in a child process, and of a batch's CPU time."""
    begin = processor_seconds()
    start()
    between = processor_seconds()
    box = BoxProcess()
    spans = through(box)
    box.close()
    return spans, (processor_seconds() - between - (between - begin)) / (1 + WARM + BATCHES)


def start() -> float:
    """Return the seconds until a box stands."""
    box = BoxProcess()
    begin = time.perf_counter()
    box.start()
    seconds = time.perf_counter() - begin
    box.close()
    return seconds


@contextmanager
def sidecar() -> Iterator[BoxClient]:
    """Run the sidecar's program, and give a client of it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "socket"
        command = [sys.executable, "-m", "reasoning_trainer.rewards.box", "--socket", str(path)]
        environment = os.environ | {"PYTHONPATH": str(ROOT / "trainer_image")}
        process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
        client = BoxClient(path)
        yield client
        client.close()
        process.terminate()
        process.wait()


def figure(name: str, seconds: Sequence[float], **more: float) -> str:
    """Return a figure as a line of JSON, in milliseconds."""
    low, middle, high = (round(1000 * each, 2) for each in statistics.quantiles(seconds, n=4))
    spread = {"median_ms": middle, "q1_ms": low, "q3_ms": high}
    return json.dumps({"figure": name, **spread, **more, "load_average": round(os.getloadavg()[0], 1)})


def main() -> None:
    """Print the figures."""
    space: dict[str, Any] = {}
    exec(SOURCE, space)
    arguments = batch()
    print(figure("in this process", calls(lambda: space["reward"](**arguments))), flush=True)
    spans, cpu = child_process()
    print(figure(f"batch of {ROWS}, child process", spans, cpu_ms=round(1000 * cpu, 2)), flush=True)
    with sidecar() as client:
        print(figure(f"batch of {ROWS}, sidecar", through(client)), flush=True)
    print(figure("start", [start() for _ in range(STARTS)]), flush=True)


if __name__ == "__main__":
    main()
