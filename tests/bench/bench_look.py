"""Measures what one look at a job costs the operator: CPU of a job at rest, whose children the store holds.

``python tests/bench/bench_look.py``. The API server is the fake of the unit tests: nothing is asked of it.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "operator"), str(ROOT / "trainer_image")]

from tests.unit.operator.test_late_watches import World, fresh  # noqa: E402

LOOKS, ROUNDS = 200, 10


async def look() -> list[float]:
    """Return the CPU milliseconds of a look, round by round."""
    world = World(seed=0)
    world.cluster.add(fresh(retain=True))
    await world.settle()
    world.cluster.requests.clear()
    times = []
    for _ in range(ROUNDS):
        start = time.process_time()
        for _ in range(LOOKS):
            await world.look()
        times.append(1000 * (time.process_time() - start) / LOOKS)
    assert world.cluster.requests == []
    return times


if __name__ == "__main__":
    times = asyncio.run(look())
    print(f"a look: median {statistics.median(times):.2f} ms of CPU, {min(times):.2f} to {max(times):.2f}")
