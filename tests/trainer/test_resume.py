"""Attempts that are killed or told to stop, and what the next attempt makes of them."""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import reasoning_trainer
from reasoning_contract.outcome import ExitCode, Outcome
from reasoning_contract.progress import Progress

DEADLINE = 120.0
Manifest = Callable[..., Path]
Train = Callable[..., Outcome]


def attempt(job: Path, output: Path, said: Path) -> None:
    """Run one attempt in a process of its own."""
    from reasoning_trainer.__main__ import main

    sys.stdout = said.open("a")
    sys.exit(main(["run", str(job), "--output", str(output)]))


@pytest.fixture(scope="module")
def context() -> Iterator[multiprocessing.context.ForkServerContext]:
    """Starts processes that have the libraries imported."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(
        [f"reasoning_trainer.stages.{name}" for name in ("warmup", "reinforce", "evaluate", "export")]
    )
    with pytest.MonkeyPatch.context() as patch:
        # Python 3.11 hands the server of processes no path, and it leaves out without a word what it cannot import
        patch.setenv("PYTHONPATH", str(Path(reasoning_trainer.__file__).parents[1]))
        yield context


@pytest.fixture
def start(
    context: multiprocessing.context.ForkServerContext, tmp_path: Path
) -> Iterator[Callable[[Path, Path], multiprocessing.context.ForkServerProcess]]:
    """Starts attempts, and ends those that the test left running."""
    started = []

    def begin(job: Path, output: Path) -> multiprocessing.context.ForkServerProcess:
        process = context.Process(target=attempt, args=(job, output, tmp_path / "log.txt"))
        process.start()
        started.append(process)
        return process

    yield begin
    for process in started:
        if process.is_alive():
            process.kill()
        process.join(DEADLINE)


def wait_for(process: multiprocessing.context.ForkServerProcess, reached: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE
    while not reached():
        assert process.is_alive(), "the attempt ended before it got there"
        assert time.monotonic() < deadline, "the attempt did not get there"
        process.join(0.02)


def progress(run: Path) -> Progress:
    return Progress.model_validate_json((run / "progress.json").read_text())


def metrics(run: Path, stage: str) -> list[dict[str, float]]:
    """What was learned at every step, without times."""
    kept = ("step", "loss", "reward", "reward_std", "grad_norm", "learning_rate", "kl", "completions/mean_length")
    lines = (run / stage / "history.jsonl").read_text().splitlines()
    return [{name: entry[name] for name in kept if name in entry} for entry in map(json.loads, lines)]


def hashes(run: Path) -> list[str]:
    return [artifact.sha256 for artifact in progress(run).artifacts or []]


def test_two_runs_are_equal(manifest: Manifest, train: Train, tmp_path: Path) -> None:
    job = manifest()
    runs = [tmp_path / "first", tmp_path / "second"]
    assert [train(job, run).exit_code for run in runs] == [0, 0]
    for stage in ("warmup", "reinforce"):
        assert metrics(runs[0], stage) == metrics(runs[1], stage)
    assert hashes(runs[0]) == hashes(runs[1])


@pytest.mark.timeout(600)
def test_killed_runs_end_like_an_unbroken_one(manifest: Manifest, start: Callable, tmp_path: Path) -> None:
    """SIGKILL at random moments, in one run after the other, until twenty attempts were killed."""
    reinforce = {"steps": 6, "numGenerations": 4, "batchSize": 8, "maxCompletionLength": 12, "learningRate": 1e-3}
    job = manifest(reinforce=reinforce | {"beta": 0.1})
    unbroken = tmp_path / "unbroken"
    process = start(job, unbroken)
    process.join(DEADLINE)
    assert process.exitcode == 0, (tmp_path / "log.txt").read_text()
    # from its own first file to its last: the time to start the server of processes is none of it
    duration = (unbroken / "README.md").stat().st_mtime - (unbroken / "run.lock").stat().st_mtime

    rng, kills, runs = random.Random(1), 0, 0
    while kills < 20:
        run, runs = tmp_path / f"run{runs}", runs + 1
        while True:
            process = start(job, run)
            process.join(rng.uniform(0.1, duration) if kills < 20 else DEADLINE)
            if process.exitcode is not None:
                break
            os.kill(process.pid, signal.SIGKILL)
            process.join(DEADLINE)
            kills += 1
        assert process.exitcode == 0, (tmp_path / "log.txt").read_text()
        for stage in ("warmup", "reinforce"):
            assert metrics(run, stage) == metrics(unbroken, stage)
        assert hashes(run) == hashes(unbroken)
        assert progress(run).evaluation == progress(unbroken).evaluation


@pytest.mark.parametrize("stage", ["warmup", "reinforce"])
def test_stops_with_a_checkpoint_when_told_to(manifest: Manifest, start: Callable, tmp_path: Path, stage: str) -> None:
    steps, epochs = (2, 10) if stage == "warmup" else (20, 0.5)
    reinforce = {"steps": steps, "numGenerations": 4, "batchSize": 8, "maxCompletionLength": 12}
    warmup = {"epochs": epochs, "batchSize": 4, "gradientAccumulation": 1}
    job, run = manifest(reinforce=reinforce, warmup=warmup), tmp_path / "run"
    process = start(job, run)
    wait_for(process, lambda: any((run / stage).glob("checkpoint-*/complete")))
    os.kill(process.pid, signal.SIGTERM)
    process.join(DEADLINE)

    assert process.exitcode == ExitCode.INTERRUPTED
    last = max(int(path.parent.name.split("-")[1]) for path in (run / stage).glob("checkpoint-*/complete"))
    process = start(job, run)
    process.join(DEADLINE)
    assert process.exitcode == 0
    assert progress(run).attempt == 2
    assert progress(run).resumed_from_step == last
    assert [entry["step"] for entry in metrics(run, "reinforce")] == list(range(1, steps + 1))


def test_half_written_checkpoint_is_not_used(manifest: Manifest, start: Callable, tmp_path: Path) -> None:
    reinforce = {"steps": 20, "numGenerations": 4, "batchSize": 8, "maxCompletionLength": 12}
    job, run = manifest(reinforce=reinforce), tmp_path / "run"
    process = start(job, run)
    wait_for(process, lambda: (run / "reinforce/checkpoint-4/complete").exists())
    os.kill(process.pid, signal.SIGKILL)
    process.join(DEADLINE)
    whole = max(int(path.parent.name.split("-")[1]) for path in (run / "reinforce").glob("checkpoint-*/complete"))
    half = run / "reinforce" / f"checkpoint-{whole + 2}"
    half.mkdir(exist_ok=True)
    (half / "adapter_model.safetensors").write_bytes(b"half")

    process = start(job, run)
    process.join(DEADLINE)
    assert process.exitcode == 0
    assert progress(run).resumed_from_step == whole


@pytest.mark.parametrize("stage", ["warmup", "reinforce"])
def test_killed_after_the_last_checkpoint(manifest: Manifest, train: Train, tmp_path: Path, stage: str) -> None:
    """The stage has all its steps, but was not finished: no step too many is made."""
    job, run = manifest(), tmp_path / "run"
    assert train(job).exit_code == 0
    expected = metrics(run, stage), hashes(run)
    (run / stage / "history.jsonl").unlink()
    shutil.rmtree(run / stage / "adapter")
    shutil.rmtree(run / "artifacts")
    assert train(job).exit_code == 0
    assert (metrics(run, stage), hashes(run)) == expected


def test_changed_recipe_is_refused_or_starts_over(manifest: Manifest, train: Train, tmp_path: Path) -> None:
    small = {"steps": 1, "numGenerations": 4, "batchSize": 8, "maxCompletionLength": 8}
    assert train(manifest(reinforce=small)).exit_code == 0

    changed = small | {"learningRate": 2e-3}
    refused = train(manifest(reinforce=changed))
    assert refused.exit_code == ExitCode.SPEC_CHANGED
    assert "reinforce.learningRate: 5e-06 -> 0.002" in refused.message

    more_time = train(manifest(reinforce=small, limits={"maxAttempts": 7}))
    assert more_time.exit_code == 0

    again = train(manifest(reinforce=changed, checkpoint={"onSpecChange": "startOver"}))
    assert again.exit_code == 0
    assert metrics(tmp_path / "run", "reinforce")[0]["step"] == 1
