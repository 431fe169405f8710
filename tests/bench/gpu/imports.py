"""What importing a library takes, module by module: `python tests/bench/gpu/imports.py unsloth vllm > imports.jsonl`.

A line a library and run, from a process of its own: seconds in all, and the modules that took most by themselves and
with all that they import (Python's `-X importtime`). The second run finds the files in the page cache.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time

RUNS = 2
SHOWN = 25
LINE = re.compile(r"import time:\s+(\d+) \|\s+(\d+) \|( *)(\S+)")


def measure(library: str) -> dict[str, object]:
    """Import a library in a process of its own and return what took the time, seconds."""
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", f"import {library}"], capture_output=True, text=True, check=False
    )
    seconds = time.monotonic() - began
    own: dict[str, float] = {}
    whole: dict[str, float] = {}
    for alone, total, _, module in LINE.findall(done.stderr):
        own[module], whole[module] = int(alone) / 1e6, int(total) / 1e6
    return {
        "library": library,
        "exit": done.returncode,
        "seconds": round(seconds, 2),
        "modules": len(own),
        "own": _largest(own),
        "whole": _largest(whole),
    }


def _largest(times: dict[str, float]) -> dict[str, float]:
    return {name: round(times[name], 2) for name in sorted(times, key=times.__getitem__, reverse=True)[:SHOWN]}


if __name__ == "__main__":
    for name in sys.argv[1:]:
        for _ in range(RUNS):
            print(json.dumps(measure(name)), flush=True)
