"""The largest step is tried before anything is spent: what it finds, and that it changes nothing of what is learned.

What is faked: that a job on a CPU has a GPU to try it on, and that the GPU's memory ends at a number of tokens.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.trainer.attempts import result
from tests.trainer.test_self_checks import stop_at
from transformers import LlamaForCausalLM

from reasoning_contract import step_sizes
from reasoning_contract.exit_codes import ExitCode
from reasoning_contract.outcome import Outcome
from reasoning_trainer.stages import largest_step as stage

Manifest = Callable[..., Path]
Train = Callable[..., Outcome]
NO_EVALUATION: dict[str, Any] = {"evaluation": {"enabled": False}}
PAIRS = [{"prompt": f"{a}+1", "chosen": str(a + 1), "rejected": "no" * (a + 1)} for a in range(8)]
ALONE: dict[str, Any] = {**NO_EVALUATION, "warmup": {"skip": True}}
PREFERENCES = {**ALONE, "rewards": [], "data": {"train": {"rows": PAIRS}, "heldOut": {"fraction": 0.25}}}
SHORT = {"steps": 2, "batchSize": 4, "maxCompletionLength": 12, "learningRate": 1e-3}
GROUPS = {**SHORT, "numGenerations": 4, "batchSize": 8}
PARTS: dict[str, dict[str, Any]] = {
    "GRPO": {"reinforce": {**GROUPS, "beta": 0.1}, "lora": {"rank": 8, "alpha": 16, "dropout": 0.1}},
    "checkpointing": {**ALONE, "reinforce": GROUPS, "lora": {"rank": 8, "gradientCheckpointing": "standard"}},
    "RLOO": {**ALONE, "reinforce": {**GROUPS, "algorithm": "RLOO"}},
    "DPO": {**PREFERENCES, "reinforce": {**SHORT, "algorithm": "DPO"}},
    "ORPO": {**PREFERENCES, "reinforce": {**SHORT, "algorithm": "ORPO"}},
}


@pytest.fixture
def tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(step_sizes, "is_tried", lambda spec: spec.guards.largest_step.action != "off")


@pytest.fixture
def fits(tried: None, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Have memory end where more tokens go through the model at once, and are learned from."""
    whole = LlamaForCausalLM.forward

    def fit(most: int) -> None:
        def forward(self: Any, input_ids: Any = None, *arguments: Any, **named: Any) -> Any:
            if torch.is_grad_enabled() and input_ids is not None and input_ids.numel() > most:
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.50 GiB")
            return whole(self, input_ids, *arguments, **named)

        monkeypatch.setattr(LlamaForCausalLM, "forward", forward)

    return fit


def report(run: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((run / "progress.json").read_text())
    return found


@pytest.mark.parametrize("parts", PARTS.values(), ids=PARTS)
def test_a_run_with_the_trial_is_the_run_without(
    parts: dict[str, Any], manifest: Manifest, train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bit for bit: neither adapter, optimizer, random numbers nor the order of the rows know of it."""
    job = manifest(**parts)
    assert train(job, tmp_path / "without").exit_code == 0
    monkeypatch.setattr(step_sizes, "is_tried", lambda spec: True)
    assert train(job, tmp_path / "with").exit_code == 0
    found = report(tmp_path / "with")["largestSteps"]
    assert "reinforce" in found
    assert all(each["message"].endswith("fit") for each in found.values())
    assert "largestSteps" not in report(tmp_path / "without")
    assert result(tmp_path / "with") == result(tmp_path / "without")


def test_what_does_not_fit_is_halved_until_it_does(
    manifest: Manifest, train: Train, tmp_path: Path, fits: Callable[[int], None], capfd: pytest.CaptureFixture[str]
) -> None:
    job = manifest(**ALONE, reinforce=GROUPS)
    fits(10_000)
    assert train(job, tmp_path / "whole").exit_code == 0
    tokens = report(tmp_path / "whole")["largestSteps"]["reinforce"]["tokens"]
    fits(2 * tokens)
    assert train(job, tmp_path / "halved").exit_code == 0
    found = report(tmp_path / "halved")["largestSteps"]["reinforce"]
    assert (found["batchSize"], found["gradientAccumulation"]) == (2, 4)
    assert found["message"] == (
        f"2 sequences of {tokens} tokens fit; 8 did not, and gradientAccumulation is 4 instead of 1"
    )
    said = capfd.readouterr()
    assert f"8 sequences of {tokens} tokens, does not fit" in said.out + said.err
    # as many steps, of the same completions
    before, after = (result(tmp_path / name)["history"]["reinforce"] for name in ("whole", "halved"))
    assert [each["step"] for each in after] == [each["step"] for each in before]
    assert after[0]["reward"] == pytest.approx(before[0]["reward"])
    assert after[0]["num_tokens"] == before[0]["num_tokens"]


def test_a_resumed_run_keeps_the_size_that_was_found(
    manifest: Manifest,
    train: Train,
    tmp_path: Path,
    fits: Callable[[int], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    job = manifest(**NO_EVALUATION)
    fits(136)
    assert train(job, tmp_path / "unbroken").exit_code == 0
    with monkeypatch.context() as patch:
        stop_at(2, patch)
        assert train(job).exit_code == ExitCode.INTERRUPTED
    fits(10_000)  # by now more would fit, and is not looked for

    def again(*_: Any) -> None:
        raise AssertionError("what was tried is not tried again")

    monkeypatch.setattr(stage, "take_step", again)
    assert train(job).exit_code == 0
    assert report(tmp_path / "run")["largestSteps"] == report(tmp_path / "unbroken")["largestSteps"]
    assert result(tmp_path / "run") == result(tmp_path / "unbroken")


def test_what_may_not_be_halved_ends_the_run_before_anything_is_spent(
    manifest: Manifest, train: Train, tmp_path: Path, fits: Callable[[int], None]
) -> None:
    fits(100)
    outcome = train(manifest(guards={"largestStep": {"action": "fail"}}, warmup={"skip": True}))
    assert (outcome.exit_code, outcome.reason) == (ExitCode.OUT_OF_GPU_MEMORY, "OutOfGPUMemory")
    assert outcome.field == "spec.reinforce.batchSize"
    assert "the largest step of reinforce, 8 sequences of" in outcome.message
    assert "asked for 2.50 GiB" in outcome.message
    assert "reinforce.batchSize 8" in outcome.hint
    assert outcome.hint.endswith("or set guards.largestStep.action: halve")
    assert not list((tmp_path / "run").glob("evaluation/*"))


def test_one_sequence_that_does_not_fit_ends_the_run(
    manifest: Manifest, train: Train, fits: Callable[[int], None]
) -> None:
    fits(5)
    outcome = train(manifest(warmup={"skip": True}))
    assert (outcome.exit_code, outcome.field) == (ExitCode.OUT_OF_GPU_MEMORY, "spec.reinforce.maxCompletionLength")
    assert "1 sequence of" in outcome.message


def test_a_trial_that_breaks_otherwise_ends_no_run(
    manifest: Manifest,
    train: Train,
    tmp_path: Path,
    tried: None,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("a fault put in")

    monkeypatch.setattr(stage, "take_step", fail)
    assert train(manifest(**ALONE, reinforce=GROUPS)).exit_code == 0
    said = capfd.readouterr()
    assert "the largest step of reinforce could not be tried: RuntimeError: a fault put in" in said.out + said.err
    assert "largestSteps" not in report(tmp_path / "run")


def test_it_can_be_switched_off(manifest: Manifest, train: Train, tmp_path: Path, fits: Callable[[int], None]) -> None:
    fits(10_000)
    assert train(manifest(**ALONE, reinforce=GROUPS, guards={"largestStep": {"action": "off"}})).exit_code == 0
    assert "largestSteps" not in report(tmp_path / "run")
