"""Runs a converter."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryFile

from reasoning_contract.exit_codes import ExitCode

from ...errors import TrainerError
from ...interruption import Interruption

NOT_SUPPORTED = 3
"""Exit status of a converter that cannot write this model; the last line that it prints says why."""
PACKAGES = Path(__file__).parents[3]
LOOK_SECONDS = 0.5
"""How often to look whether the process was told to stop."""


def run(name: str, *arguments: str | Path, interruption: Interruption) -> None:
    """Run a module of this package to its end, on the CPU and without a network.

    Raises
    ------
    TrainerError
        If it cannot write this model, or the process is told to stop: the converter is ended then.
    RuntimeError
        If it fails in another way, with the end of what it printed.
    """
    command = [sys.executable, "-m", f"{__package__}.{name}", *map(str, arguments)]
    paths = [str(PACKAGES), *filter(None, [os.environ.get("PYTHONPATH")])]
    alone = {"PYTHONPATH": os.pathsep.join(paths), "CUDA_VISIBLE_DEVICES": "", "HF_HUB_OFFLINE": "1"}
    with TemporaryFile("w+", encoding="utf-8", errors="replace") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=os.environ | alone)
        try:
            _wait(process, interruption)
        finally:
            process.kill()
            process.wait()
        if process.returncode == 0:
            return
        log.seek(0)
        printed = log.read().strip()
    if process.returncode == NOT_SUPPORTED:
        raise TrainerError(
            ExitCode.NOT_SUPPORTED,
            "NotSupported",
            f"export.formats: {printed.splitlines()[-1]}",
            "remove the format, export merged16bit, and convert it with a newer llama.cpp",
        )
    raise RuntimeError(f"converter {name} ended with status {process.returncode}: {printed[-2000:]}")


def _wait(process: subprocess.Popen[bytes], interruption: Interruption) -> None:
    while process.poll() is None:
        interruption.check()
        try:
            process.wait(LOOK_SECONDS)
        except subprocess.TimeoutExpired:
            continue
