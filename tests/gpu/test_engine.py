"""One engine a run: vLLM evaluates and generates for RL, and the run's checks of itself hold it to the trainer."""

from __future__ import annotations

import re
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
from tests.gpu.conftest import SECONDS, Launch
from tests.gpu.runs import Json, Run, short_job
from tests.gpu.test_trainer import succeeded

from reasoning_contract.exit_codes import ExitCode

pytestmark = pytest.mark.timeout(1800)
STARTED = re.compile(r"Capturing CUDA graphs[^\r\n]* 0%")
"""What vLLM shows of a start."""
EVALUATED: Json = {
    "data": {"heldOut": {"fraction": 0.25}},
    "rewards": [
        {"name": "right", "builtin": "correctness"},
        {"name": "brief", "builtin": "lengthPenalty", "params": {"targetTokens": 8}},
    ],
    "evaluation": {"enabled": True, "everySteps": 5},
    "reinforce": {"steps": 10, "learningRate": 1e-4},
}
KINDS: dict[str, Json] = {
    "transformers": {"backend": "transformers", "export": {"formats": ["lora", "merged16bit"]}},
    "unsloth": {"backend": "unsloth"},
    "standby": {"backend": "transformers", "inference": {"standby": True}},
    "replaced groups": {"backend": "transformers", "reinforce": EVALUATED["reinforce"] | {"resampleRounds": 2}},
}


ON_A_GPU = {"unsloth", "standby"}
"""Kinds that a CPU does not know."""
EVERY_KIND = [pytest.param(name, marks=[pytest.mark.no_rehearsal] if name in ON_A_GPU else []) for name in KINDS]


@pytest.fixture(scope="session")
def runs(launch: Launch, on_gpu: bool) -> dict[str, Future[Run]]:
    """A run of every kind, at work at once."""
    kinds = {name: changes for name, changes in KINDS.items() if on_gpu or name not in ON_A_GPU}
    return {name: launch(name.replace(" ", "-"), **(EVALUATED | changes)) for name, changes in kinds.items()}


@pytest.mark.parametrize("kind", EVERY_KIND)
def test_the_engine_of_rl_evaluates(runs: dict[str, Future[Run]], kind: str, on_gpu: bool) -> None:
    run = succeeded(runs[kind].result())
    evaluation = run.report()["evaluation"]
    assert evaluation["engine"] == ("vllm" if on_gpu else "transformers")
    assert set(evaluation["heldOut"]) >= {"base", "reinforce"}
    if on_gpu:
        assert len(STARTED.findall(run.log_end(1_000_000))) == 1


@pytest.mark.parametrize("kind", EVERY_KIND)
def test_a_sound_run_passes_its_checks_of_itself(runs: dict[str, Future[Run]], kind: str, on_gpu: bool) -> None:
    passed = {check["name"] for check in succeeded(runs[kind].result()).report()["selfChecks"]}
    assert "template" in passed
    assert ("engine" in passed) == on_gpu
    assert ("merged" in passed) == (kind == "transformers")


@pytest.mark.no_rehearsal
def test_an_engine_with_other_weights_ends_the_run(model: Path, device: Any, tmp_path: Path) -> None:
    spec = short_job(model, on_gpu=True, backend="transformers")
    script = Path(__file__).with_name("faulty_engine.py")
    run = Run(tmp_path / "run", spec, next(device), (str(script),)).start()
    assert run.wait(SECONDS) == ExitCode.SELF_CHECK_FAILED, run.log_end()
    assert run.last_word()["reason"] == "EngineDiffers"
