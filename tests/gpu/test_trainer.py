"""What a CPU cannot show of the trainer: every algorithm, precision and end of a run on a GPU."""

from __future__ import annotations

import math
import signal
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any, get_args

import pytest
from tests.gpu.conftest import SECONDS, Launch
from tests.gpu.runs import Run, step_of

from reasoning_contract.exit_codes import ExitCode
from reasoning_contract.spec import PREFERENCE, Algorithm

pytestmark = pytest.mark.timeout(1800)
ALGORITHMS = [each for each in get_args(Algorithm) if each != "none"]
PAIRS = {"chosen": "chosen", "rejected": "rejected"}


PROMPT = 96
"""Room for a prompt of the random models: with the template it has 83 tokens on a GPU."""
TOO_LARGE: dict[str, Any] = {
    "backend": "transformers",
    "inference": {"engine": "transformers", "gpuMemoryUtilization": 0.6},
    "reinforce": {"batchSize": 4096, "maxCompletionLength": 192, "steps": 1},
}
NO_GROUPS = {"numGenerations": None, "maskTruncated": None}


def by_algorithm(algorithm: str) -> dict[str, Any]:
    """What an algorithm wants changed in the spec; None takes away what it does not know."""
    if algorithm in PREFERENCE:
        reinforce = {"algorithm": algorithm} | NO_GROUPS
        data = {"train": {"columns": PAIRS}, "heldOut": {"fraction": 0.2}}
        return {"reinforce": reinforce, "rewards": [], "data": data, "evaluation": {"enabled": True}}
    if algorithm == "PPO":
        return {"reinforce": {"algorithm": algorithm} | NO_GROUPS, "backend": "transformers", "inference": None}
    if algorithm == "ScaleRL":
        judged = {"rewards": [{"name": "correct", "builtin": "correctness"}]}
        return {"reinforce": {"algorithm": algorithm}, "backend": "transformers"} | judged
    return {"reinforce": {"algorithm": algorithm}}


@pytest.fixture(scope="session")
def algorithms(launch: Launch) -> dict[str, Future[Run]]:
    """All algorithms at work at once, as far as the pool lets them."""
    return {algorithm: launch(algorithm, **by_algorithm(algorithm)) for algorithm in ALGORITHMS}


def succeeded(run: Run) -> Run:
    """Fail with the log's end unless the run ended well."""
    assert run.process is not None
    assert run.process.returncode == ExitCode.DONE, run.log_end()
    return run


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_algorithm_makes_twenty_steps(algorithms: dict[str, Future[Run]], algorithm: str) -> None:
    history = succeeded(algorithms[algorithm].result()).history()
    steps = [entry for entry in history if "loss" in entry or "loss/policy_avg" in entry]
    assert len(steps) == 20
    losses = [entry.get("loss", entry.get("loss/policy_avg")) for entry in steps]
    assert all(math.isfinite(loss) for loss in losses)


@pytest.mark.parametrize("algorithm", PREFERENCE)
def test_held_out_pairs_are_compared(algorithms: dict[str, Future[Run]], algorithm: str) -> None:
    scores = succeeded(algorithms[algorithm].result()).report()["evaluation"]["heldOut"]
    assert all(math.isfinite(scores[model]["margin"]) for model in ("base", "reinforce"))
    assert scores["base"]["margin"] != scores["reinforce"]["margin"]


@pytest.mark.no_rehearsal
@pytest.mark.parametrize("load_in", ["4bit", "16bit", "fp8"])
def test_precision_loads_and_trains(launch: Launch, load_in: str) -> None:
    run = launch(load_in, model={"loadIn": load_in}, reinforce={"steps": 3}).result()
    assert succeeded(run).report()["model"]["loadIn"] == load_in


def test_killed_run_goes_on_from_its_checkpoint(run: Callable[..., Run]) -> None:
    first = run(checkpoint={"everySteps": 2})
    first.until(lambda report: report.get("lastCheckpoint", {}).get("step", 0) >= 2, SECONDS)
    first.signal(signal.SIGKILL)
    assert first.wait(60) == -signal.SIGKILL
    assert first.start().wait(SECONDS) == ExitCode.DONE, first.log_end()
    report = first.report()
    assert report["resumedFromStep"] >= 2
    assert report["attempt"] == 2


def test_interruption_while_completions_are_generated_saves_a_checkpoint(run: Callable[..., Run], on_gpu: bool) -> None:
    long = 1024 if on_gpu else 160  # so long that nearly all of a step is generation
    job = run(
        model={"maxSequenceLength": long + PROMPT},
        reinforce={"maxCompletionLength": long, "steps": 200},
        checkpoint={"everySteps": 100},
    )
    job.until(lambda report: step_of(report) >= 2, SECONDS)
    job.signal(signal.SIGTERM)
    assert job.wait(120) == ExitCode.INTERRUPTED, job.log_end()
    assert list((job.output / "reinforce").glob("checkpoint-*/complete"))
    assert job.last_word()["reason"] == "Interrupted"
    if on_gpu:
        assert 0 < job.report()["training"]["gpuUsePercent"] <= 100


@pytest.mark.no_rehearsal
@pytest.mark.parametrize("action", ["fail", "off"])
def test_too_large_a_step_ends_with_a_hint(run: Callable[..., Run], action: str) -> None:
    """Before anything is spent or, where the largest step is not tried, at the first step."""
    job = run(**TOO_LARGE, guards={"largestStep": {"action": action}})
    assert job.wait(SECONDS) == ExitCode.OUT_OF_GPU_MEMORY, job.log_end()
    assert job.last_word()["reason"] == "OutOfGPUMemory"
    assert "reinforce.batchSize" in job.last_word()["hint"]
    assert ("before anything was spent" in job.last_word()["message"]) == (action == "fail")


@pytest.mark.no_rehearsal
def test_too_large_a_step_is_halved_until_it_fits(run: Callable[..., Run]) -> None:
    job = run(**TOO_LARGE)
    assert job.wait(SECONDS) == ExitCode.DONE, job.log_end()
    found = job.report()["largestSteps"]["reinforce"]
    assert found["batchSize"] * found["gradientAccumulation"] == TOO_LARGE["reinforce"]["batchSize"]
    assert found["gradientAccumulation"] > 1
    assert found["peakGiB"] > 0


def test_two_jobs_on_one_cache_at_once(launch: Launch, tmp_path: Path) -> None:
    shared = {"XDG_CACHE_HOME": str(tmp_path)}
    both = [launch(f"cache{index}", environment=shared, reinforce={"steps": 3}) for index in range(2)]
    for each in both:
        succeeded(each.result())
    assert "InternalError" not in "".join(each.result().log_end() for each in both)
    later = launch("later", environment=shared, reinforce={"steps": 3}).result()
    assert succeeded(later).report()["progress"]["percent"] == 100
