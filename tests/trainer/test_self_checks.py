"""The self-checks of a run: what they say when all is well, and that each ends the run where a fault is put in."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from trl import GRPOTrainer

from reasoning_contract.exit_codes import ExitCode
from reasoning_contract.outcome import Outcome
from reasoning_trainer.algorithms import self_checks
from reasoning_trainer.backends.transformers import TransformersBackend

Manifest = Callable[..., Path]
Train = Callable[..., Outcome]
NO_EVALUATION: dict[str, Any] = {"evaluation": {"enabled": False}}


def checks(run: Path) -> dict[str, str]:
    report = json.loads((run / "progress.json").read_text())
    return {each["name"]: each["message"] for each in report["selfChecks"]}


def failed(outcome: Outcome, reason: str) -> str:
    assert (outcome.exit_code, outcome.reason) == (ExitCode.SELF_CHECK_FAILED, reason), outcome
    assert outcome.hint
    return outcome.message


def test_a_whole_run_says_what_was_found(manifest: Manifest, train: Train, tmp_path: Path) -> None:
    assert train(manifest(**NO_EVALUATION, export={"formats": ["lora", "merged16bit"]})).exit_code == 0
    found = checks(tmp_path / "run")
    assert set(found) == {"template", "adapter", "merged"}
    assert "likelier with the adapter" in found["adapter"]
    assert found["template"].startswith("8 prompts")


def test_a_cut_vocabulary_is_not_held_against_the_adapter(manifest: Manifest, train: Train, tmp_path: Path) -> None:
    """A base that is surer than its adapter finds the likeliest tokens likelier, whoever drew them."""
    drawn = {"steps": 2, "numGenerations": 4, "batchSize": 8, "maxCompletionLength": 12, "topK": 2}
    assert train(manifest(**NO_EVALUATION, reinforce=drawn)).exit_code == 0
    assert set(checks(tmp_path / "run")) == {"template"}


def test_completions_of_the_base_model_end_the_run(
    manifest: Manifest, train: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Unsloth's engine did with TRL 1.10.0."""
    whole = GRPOTrainer._generate_single_turn

    def from_the_base(self: GRPOTrainer, *arguments: Any, **named: Any) -> Any:
        with self.model.disable_adapter():
            return whole(self, *arguments, **named)

    monkeypatch.setattr(GRPOTrainer, "_generate_single_turn", from_the_base)
    assert "come from the base model" in failed(train(manifest(**NO_EVALUATION)), "AdapterNotSampled")


def test_prompts_that_training_writes_otherwise_end_the_run(
    manifest: Manifest, train: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = GRPOTrainer._tokenize_prompts

    def with_another_first_token(self: GRPOTrainer, *arguments: Any, **named: Any) -> Any:
        ids, *more = whole(self, *arguments, **named)
        return [[0, *each] for each in ids], *more

    monkeypatch.setattr(GRPOTrainer, "_tokenize_prompts", with_another_first_token)
    assert "8 of 8 prompts" in failed(train(manifest(**NO_EVALUATION)), "TemplateDiffers")


def test_merged_model_without_the_adapter_ends_the_run(
    manifest: Manifest, train: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    def base_alone(self: TransformersBackend, model: Any, tokenizer: Any, folder: Path) -> None:
        model.unload().save_pretrained(folder)
        tokenizer.save_pretrained(folder)

    monkeypatch.setattr(TransformersBackend, "save_merged", base_alone)
    outcome = train(manifest(**NO_EVALUATION, export={"formats": ["merged16bit"]}))
    assert "does not answer as the adapter did" in failed(outcome, "MergedDiffers")


def test_a_checkpoint_is_whole_before_its_model_is_asked(
    manifest: Manifest, train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That may take long, or fail, and the process be killed meanwhile: the steps are not lost by it."""

    def fail(*_: Any) -> None:
        raise RuntimeError("a fault put in")

    monkeypatch.setattr(self_checks, "ask", fail)
    assert train(manifest(**NO_EVALUATION)).exit_code != 0
    assert list(tmp_path.glob("run/*/checkpoint-*/complete"))


def test_a_look_that_finds_no_memory_is_left_out(
    manifest: Manifest, train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """A run that has enough for itself goes on: for want of memory it would end for good."""

    def fail(*_: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(TransformersBackend, "token_likelihoods", fail)
    assert train(manifest(**NO_EVALUATION, export={"formats": ["lora", "merged16bit"]})).exit_code == 0
    assert set(checks(tmp_path / "run")) == {"template"}
    said = capfd.readouterr()
    for what in ("of completions", "resume", "merged"):
        assert f"self-check {what} is left out" in said.out + said.err


def stop_at(step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def end(self: Any, args: Any, state: Any, control: Any, **named: Any) -> None:
        if state.global_step == step:
            control.should_save = control.should_training_stop = True

    monkeypatch.setattr(self_checks.SampleCallback, "on_step_end", end)


@pytest.mark.parametrize("fault", [False, True], ids=["whole", "changed"])
def test_a_resumed_model_answers_as_before(
    fault: bool, manifest: Manifest, train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = manifest(**NO_EVALUATION)
    with monkeypatch.context() as patch:
        stop_at(2, patch)
        assert train(job).exit_code == ExitCode.INTERRUPTED
    if fault:
        path = tmp_path / "run/reinforce/checkpoint-2/adapter_model.safetensors"
        weights = load_file(path)
        save_file({name: torch.randn_like(weight) for name, weight in weights.items()}, path, {"format": "pt"})
        assert "at step 2 answers otherwise" in failed(train(job), "ResumedOtherwise")
    else:
        assert train(job).exit_code == 0
        assert "step 2 it generates token by token as" in checks(tmp_path / "run")["resume"]
