"""A model small enough to train in a test, made here from nothing."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable
from functools import partial
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest
from tests.trainer.attempts import result
from tests.trainer.models import make_model

from reasoning_contract.outcome import Outcome
from reasoning_trainer import environment

os.environ.setdefault("HF_HUB_OFFLINE", "1")
# threads that wait for each other on shared cores cost a tiny model more than they give it
os.environ.setdefault("OMP_NUM_THREADS", "1")
environment.prepare()


def rows(count: int, seed: int, *, first: int = 0, last: int = 4) -> list[dict[str, str]]:
    """Sums of two one-digit numbers; the first number lies in first..last, so that sets can be told apart."""
    rng = random.Random(seed)
    pairs = [(rng.randint(first, last), rng.randint(0, 9)) for _ in range(count)]
    return [{"prompt": f"{a}+{b}", "answer": str(a + b), "reasoning": f"{a}+{b}={a + b}"} for a, b in pairs]


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Llama of 0.1 million parameters with random weights and a byte-level tokenizer."""
    return make_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="session")
def wide_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with 1.2 million parameters in rows of 256: a block of llama.cpp's k-quants."""
    return make_model(tmp_path_factory.mktemp("wide_model"), width=256)


@pytest.fixture(scope="module")
def no_weights(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model with a file of weights that nobody can read."""
    folder = copytree(tiny_model, tmp_path_factory.mktemp("no-weights") / "model")
    (folder / "model.safetensors").write_bytes(b"")
    return folder


@pytest.fixture(scope="session")
def write_manifest(tiny_model: Path) -> Callable[..., Path]:
    """Writes a manifest of a job that takes seconds; keyword arguments replace parts of its spec, None removes them."""

    def write(folder: Path, **changes: Any) -> Path:
        spec: dict[str, Any] = {
            "model": {"source": f"file://{tiny_model}", "maxSequenceLength": 128},
            "lora": {"rank": 8, "alpha": 16, "gradientCheckpointing": "none"},
            "chatTemplate": {"systemPrompt": ""},
            "data": {
                "train": {"rows": rows(32, 1)},
                "warmup": {"rows": rows(16, 2)},
                "heldOut": {"rows": rows(8, 3, first=5, last=9)},
            },
            "warmup": {"epochs": 1, "batchSize": 4, "gradientAccumulation": 1, "learningRate": 5e-3},
            "reinforce": {
                "steps": 4,
                "numGenerations": 4,
                "batchSize": 8,
                "maxCompletionLength": 12,
                "learningRate": 1e-3,
            },
            "rewards": [{"name": "correct", "builtin": "correctness"}, {"name": "format", "builtin": "format"}],
            "evaluation": {"samples": 2},
            "guards": {"learningSignal": {"action": "off"}},
            "checkpoint": {"everySteps": 2},
            "parallelism": {"gpusPerNode": 0},
        } | changes
        document = {
            "apiVersion": "reasoning-operator.io/v1alpha1",
            "kind": "ReasoningTrainingJob",
            "metadata": {"name": "tiny"},
            "spec": {name: value for name, value in spec.items() if value is not None},
        }
        path = folder / "job.json"
        path.write_text(json.dumps(document))
        return path

    return write


@pytest.fixture
def manifest(write_manifest: Callable[..., Path], tmp_path: Path) -> Callable[..., Path]:
    """Writes a manifest into the test's folder."""
    return partial(write_manifest, tmp_path)


@pytest.fixture(scope="session")
def train_in() -> Callable[[Path, Path], Outcome]:
    """Runs a manifest into a folder, worker and supervisor in this process, and returns the outcome."""

    def run_manifest(job: Path, output: Path) -> Outcome:
        from reasoning_trainer.commands.run import Options, run
        from reasoning_trainer.interruption import Interruption
        from reasoning_trainer.reporting.display import Display
        from reasoning_trainer.worker import work

        with Display() as display:
            return run(
                Options(job, output),
                display,
                lambda order, spec, reports, display, lock: work(order, reports.take, Interruption()),
            )

    return run_manifest


@pytest.fixture
def train(train_in: Callable[[Path, Path], Outcome], tmp_path: Path) -> Callable[..., Outcome]:
    """Runs a manifest in this process and returns the outcome."""

    def run_manifest(job: Path, output: Path | None = None) -> Outcome:
        return train_in(job, output or tmp_path / "run")

    return run_manifest


@pytest.fixture(scope="module")
def unbroken(
    write_manifest: Callable[..., Path],
    train_in: Callable[[Path, Path], Outcome],
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[..., dict[str, Any]]:
    """Returns the result of a job in one attempt; jobs that are alike are run once."""
    results: dict[str, dict[str, Any]] = {}

    def run(**changes: Any) -> dict[str, Any]:
        key = repr(sorted(changes.items()))
        if key not in results:
            folder = tmp_path_factory.mktemp("unbroken")
            outcome = train_in(write_manifest(folder, **changes), folder / "run")
            assert outcome.exit_code == 0, outcome
            results[key] = result(folder / "run")
        return results[key]

    return run
