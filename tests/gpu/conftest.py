"""Tests on a GPU. REHEARSE_ON_CPU=1 runs on a tiny model what a CPU can run, so that it works when a GPU is there."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from tests.gpu.runs import ROOT, Run, short_job

REHEARSAL = os.environ.get("REHEARSE_ON_CPU") == "1"
SECONDS = 420.0
"""Longest time for one run; several are at work."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what is marked `gpu` where there is none; in a rehearsal, what is marked to need the real one."""
    here = Path(__file__).parent
    mine = [item for item in items if item.path.is_relative_to(here)]
    there = mine and not REHEARSAL and _gpu()
    for item in mine:
        item.add_marker("gpu")
        if not there and not (REHEARSAL and item.get_closest_marker("no_rehearsal") is None):
            item.add_marker(pytest.mark.skip(reason="no NVIDIA GPU"))


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Print a failure as it comes: time on a GPU ends before the summary does."""
    if report.failed:
        print(f"\n{report.nodeid}\n{report.longreprtext}", file=sys.__stdout__, flush=True)


def _gpu() -> bool:
    try:
        import torch
    except ModuleNotFoundError:
        return False
    return bool(torch.cuda.is_available())


@pytest.fixture(scope="session")
def on_gpu() -> bool:
    """Whether this is no rehearsal."""
    return not REHEARSAL


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory, on_gpu: bool) -> Path:
    """A model of random weights, with rows beside it."""
    folder = tmp_path_factory.mktemp("model")
    script = ROOT / "tests/bench/gpu/make_random_model.py"
    subprocess.run([sys.executable, script, folder, "--shape", "smollm2-135m" if on_gpu else "tiny"], check=True)
    return folder


Launch = Callable[..., "Future[Run]"]


@pytest.fixture(scope="session")
def device(on_gpu: bool) -> Iterator[dict[str, str]]:
    """What gives a process one of this machine's GPUs, by turns."""
    if not on_gpu:
        return itertools.repeat({})
    import torch

    known = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    mine = known.split(",") if known else [str(index) for index in range(torch.cuda.device_count())]
    return itertools.cycle({"CUDA_VISIBLE_DEVICES": each} for each in mine)


@pytest.fixture(scope="session")
def launch(
    model: Path, on_gpu: bool, device: Iterator[dict[str, str]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Launch]:
    """Runs jobs to their end, a few at a time: importing the libraries takes most of a short run's time."""
    with ThreadPoolExecutor(6 if on_gpu else 1) as pool:

        def begin(name: str, environment: dict[str, str] | None = None, **changes: Any) -> Future[Run]:
            spec = short_job(model, on_gpu=on_gpu, **changes)
            run = Run(tmp_path_factory.mktemp(name), spec, next(device) | (environment or {}))

            def to_the_end() -> Run:
                run.start().wait(SECONDS)
                return run

            return pool.submit(to_the_end)

        yield begin
        pool.shutdown(cancel_futures=True)


@pytest.fixture
def run(model: Path, on_gpu: bool, device: Iterator[dict[str, str]], tmp_path: Path) -> Iterator[Callable[..., Run]]:
    """Starts one job that the test handles itself, and ends it with the test."""
    runs: list[Run] = []

    def begin(**changes: Any) -> Run:
        spec = short_job(model, on_gpu=on_gpu, **changes)
        runs.append(Run(tmp_path / str(len(runs)), spec, next(device)).start())
        return runs[-1]

    yield begin
    for each in runs:
        if each.process is not None and not each.ended:
            each.process.kill()
            each.process.wait()
