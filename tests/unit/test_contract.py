"""The contract: the good manifest, the bad ones, resolution, and the termination message's limit."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError
from tests.manifests import TABLE, merge

from reasoning_contract.choice import choose, on_backend
from reasoning_contract.defaults import ALGORITHM_DEFAULTS
from reasoning_contract.exit_codes import ExitCode
from reasoning_contract.finding import Finding
from reasoning_contract.job_status import Condition
from reasoning_contract.outcome import MESSAGE_LIMIT, Outcome
from reasoning_contract.problem import Problem
from reasoning_contract.progress import GuardReport, Progress
from reasoning_contract.report import Artifact, ProgressStatus, SelfCheck, SpecChange
from reasoning_contract.resolve import resolve
from reasoning_contract.rules import faults
from reasoning_contract.spec import Spec


def spec(**patch: Any) -> Spec:
    return Spec.model_validate(merge(TABLE["good"], patch))


def test_good_manifest_is_accepted() -> None:
    assert spec().reinforce.algorithm == "GRPO"


@pytest.mark.parametrize("case", TABLE["bad"], ids=lambda case: case["name"])
def test_bad_manifest_is_refused(case: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as refusal:
        spec(**case["patch"])
    (last,) = case["field"].split(".")[-1:]
    assert any(last.split("[")[0] in str(fault) for fault in faults(refusal.value)), faults(refusal.value)


@pytest.mark.parametrize(
    ("patch", "says"),
    [
        ({"rewards": []}, "spec.rewards: the algorithm needs at least one reward"),
        ({"rewards": [{"name": "a", "builtin": "format", "weight": "1"}]}, "spec.rewards[0].weight: Input should be"),
        ({"reinforce": {"steps": 1, "epochs": 1.0}}, "spec.reinforce: give steps or epochs, not both"),
    ],
)
def test_a_fault_has_one_rendering(patch: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError) as refusal:
        spec(**patch)
    assert str(faults(refusal.value, "spec")[0]).startswith(says)


@pytest.mark.parametrize("algorithm", ALGORITHM_DEFAULTS)
def test_resolve_is_idempotent_and_leaves_no_choice_open(algorithm: str) -> None:
    preference, pairs = algorithm in ("DPO", "ORPO"), {"columns": {"chosen": "c", "rejected": "r"}}
    resolved = resolve(
        spec(
            reinforce={"algorithm": algorithm},
            parallelism={"gpusPerNode": 0},
            rewards=[] if preference else TABLE["good"]["rewards"],
            data={"train": pairs if preference else {}, "warmup": {"source": "hf://a/b"}},
        )
    )
    assert resolve(resolved) == resolved
    assert "auto" not in (
        resolved.backend,
        resolved.model.load_in,
        resolved.inference.engine,
        resolved.reinforce.optimizer,
    )
    assert resolved.reinforce.steps == 250


def test_what_the_user_sets_wins_over_the_algorithm() -> None:
    resolved = resolve(spec(reinforce={"algorithm": "DAPO", "epsilonHigh": 0.5, "maskTruncated": False}))
    assert (resolved.reinforce.epsilon_high, resolved.reinforce.mask_truncated) == (0.5, False)
    assert resolved.reinforce.loss_type == "dapo"


def test_one_clipping_range_means_a_symmetric_one() -> None:
    assert resolve(spec(reinforce={"algorithm": "DAPO", "epsilon": 0.1})).reinforce.epsilon_high == 0.1


@pytest.mark.parametrize(
    ("reinforce", "epsilon", "epsilon_high", "level"),
    [
        ({}, 0.2, 0.2, "token"),
        ({"lossType": "dapo"}, 0.2, 0.2, "token"),
        ({"lossType": "cispo"}, None, 5.0, "token"),
        ({"lossType": "cispo", "epsilonHigh": 4.0}, None, 4.0, "token"),
        ({"lossType": "sapo"}, None, None, "token"),
        ({"lossType": "luspo"}, 2e-3, 2.5e-3, "sequence"),
        ({"lossType": "luspo", "epsilonHigh": 3e-3}, 2e-3, 3e-3, "sequence"),
        ({"lossType": "luspo", "epsilon": 1e-3}, 1e-3, 1e-3, "sequence"),
        ({"lossType": "luspo", "importanceSampling": "token"}, 2e-3, 2.5e-3, "token"),
        ({"lossType": "vespo"}, None, None, "token"),
        ({"algorithm": "GSPO"}, 3e-4, 4e-4, "sequence"),
        ({"algorithm": "GSPO", "lossType": "bnpo"}, 3e-4, 4e-4, "sequence"),
        ({"algorithm": "GSPO", "lossType": "luspo"}, 2e-3, 2.5e-3, "sequence"),
        ({"algorithm": "GSPO", "lossType": "sapo"}, None, None, "sequence"),
        ({"algorithm": "GSPO", "lossType": "vespo"}, None, None, "token"),
        ({"algorithm": "DAPO"}, 0.2, 0.28, "token"),
        ({"algorithm": "DAPO", "lossType": "grpo"}, 0.2, 0.28, "token"),
        ({"algorithm": "DAPO", "lossType": "cispo"}, None, 5.0, "token"),
        ({"algorithm": "ScaleRL"}, None, 5.0, "token"),
        ({"algorithm": "ScaleRL", "lossType": "dapo"}, 0.2, 0.2, "token"),
        ({"algorithm": "ScaleRL", "lossType": "grpo"}, 0.2, 0.2, "token"),
        ({"algorithm": "RLOO"}, 0.2, 0.2, None),
        ({"algorithm": "PPO"}, 0.2, None, None),
    ],
)
def test_each_loss_brings_its_own_bounds(
    reinforce: dict[str, Any], epsilon: float | None, epsilon_high: float | None, level: str | None
) -> None:
    resolved = resolve(spec(reinforce=reinforce))
    found = resolved.reinforce
    assert (found.epsilon, found.epsilon_high, found.importance_sampling) == (epsilon, epsilon_high, level)
    assert resolve(resolved) == resolved


def test_scale_rl_fills_in_its_recipe_as_far_as_the_loss_and_the_aggregation_have_it() -> None:
    names = ("loss_type", "loss_aggregation", "scale_rewards", "average_over", "retire_solved", "fp32_lm_head")

    def filled(**reinforce: Any) -> list[Any]:
        found = resolve(spec(reinforce={"algorithm": "ScaleRL"} | reinforce)).reinforce
        return [getattr(found, name) for name in names]

    assert filled() == ["cispo", "prompt", "batch", "differing", 0.9, True]
    assert filled(lossType="grpo", fp32LmHead=False) == ["grpo", None, "batch", "differing", 0.9, False]
    assert filled(multiObjectiveAggregation="normalize_then_sum", lossAggregation="token")[1:3] == ["token", None]


@pytest.mark.parametrize(
    ("patch", "expected"),
    [
        ({"backend": "unsloth"}, ("unsloth", "4bit", "vllm")),
        ({"reinforce": {"lossType": "vespo"}}, ("transformers", "16bit", "transformers")),
        ({"parallelism": {"gpusPerNode": 0}}, ("transformers", "16bit", "transformers")),
        ({"parallelism": {"gpusPerNode": 4}}, ("transformers", "16bit", "vllm")),
        ({"backend": "transformers"}, ("transformers", "16bit", "vllm")),
        ({"model": {"loadIn": "fp8"}}, ("unsloth", "fp8", "vllm")),
    ],
)
def test_choice_of_backend(patch: dict[str, Any], expected: tuple[str, str, str]) -> None:
    choice = choose(spec(**patch))
    assert (choice.backend, choice.load_in, choice.engine) == expected
    assert choice.reason


def test_without_the_gpu_that_choice_stays_open() -> None:
    resolved = resolve(spec())
    assert (resolved.backend, resolved.model.load_in, resolved.reinforce.optimizer) == ("auto", "auto", "auto")
    assert resolve(resolved) == resolved
    choice = on_backend(spec(), "unsloth", "there is room for it")
    assert resolve(resolved, choice) == resolve(spec(), choice)


@pytest.mark.parametrize(
    ("patch", "backend", "says"),
    [
        ({"reinforce": {"algorithm": "PPO"}}, "transformers", "unsloth cannot run it: spec.reinforce.algorithm"),
        ({"reinforce": {"algorithm": "ScaleRL"}}, "transformers", "unsloth cannot run it: spec.reinforce.fp32LmHead"),
        ({"lora": {"gradientCheckpointing": "unsloth"}}, "unsloth", "gradientCheckpointing unsloth needs backend"),
        ({"model": {"loadIn": "4bit"}}, "unsloth", "model.loadIn 4bit"),
    ],
)
def test_what_only_one_backend_can_do_decides_without_a_gpu(patch: dict[str, Any], backend: str, says: str) -> None:
    choice = choose(spec(**patch))
    assert choice.backend == backend
    assert says in choice.reason


def _outcome(message: str, artifacts: int) -> Outcome:
    moment = "2026-01-01T00:00:00Z"
    artifact = Artifact(kind="lora", path="/output/run/" + "p" * 40, sha256="0" * 64, bytes=1)
    progress = Progress(
        attempt=1,
        started_at=moment,
        stage="export",
        progress=ProgressStatus(display="100%", percent=100, updated_at=moment),
        artifacts=[artifact] * artifacts,
    )
    return Outcome(exit_code=ExitCode.DATA_INVALID, reason="R", message=message, hint="h" * 2000, progress=progress)


@pytest.mark.parametrize("artifacts", [0, 1, 100])
@pytest.mark.parametrize("message", ["short", "ü" * 5000, '"\\\n' * 3000, "\x00" * 3000])
def test_termination_message_fits_and_reads_back(message: str, artifacts: int) -> None:
    text = _outcome(message, artifacts).to_termination_message()
    assert len(text.encode()) <= MESSAGE_LIMIT
    outcome = Outcome.from_termination_message(text)
    assert outcome is not None
    assert (outcome.exit_code, outcome.reason) == (65, "R")


def test_a_full_report_keeps_its_evaluation_in_a_termination_message() -> None:
    """With every figure that a job can have, the scores and what they were made from stay, whatever else must go."""
    figures = {"accuracy": 0.1234, "ci95": [0.1234, 0.1234], "format": 0.1234, "meanLength": 1234.5}
    pairs = {"preferred": 0.1234, "margin": -1234.5678}
    score = figures | pairs | {"passAtK": {str(k): 0.1234 for k in range(57, 65)}}
    report = {
        "evaluation": {
            "heldOut": {"size": 12345, "base": score, "warmup": score, "reinforce": score},
            **dict.fromkeys(("finalAccuracy", "improvement", "reinforceImprovement", "preferredImprovement"), -0.1234),
            **dict.fromkeys(("pValue", "reinforcePValue", "preferredPValue"), 1.23e-10),
        },
        "jobUid": "0a1b2c3d-0000-4000-8000-000000000000",
        "dataRevisions": {f"data.{name}": "0" * 40 for name in ("train", "warmup", "heldOut")},
        "memory": {"peakGiB": 123.45, "limitGiB": 1234.56},
        "model": dict.fromkeys(("backend", "loadIn", "engine"), "transformers") | {"reason": "r" * 200},
        "lastCheckpoint": {"stage": "reinforce", "step": 12345, "path": "p" * 100},
        "training": {"reward": 0.5, "rewards": {"r" * 50 + str(n): 0.12345 for n in range(8)}},
        "guards": [{"condition": "LearningSignal", "ok": True, "reason": "R", "message": "m" * 200}] * 5,
    }
    outcome = _outcome("m" * 5000, 16)
    assert outcome.progress is not None
    full = Progress.model_validate(outcome.progress.model_dump(by_alias=True, exclude_none=True) | report)
    text = outcome.model_copy(update={"progress": full}).to_termination_message()
    assert len(text.encode()) <= MESSAGE_LIMIT
    found = Outcome.from_termination_message(text)
    assert found is not None
    assert found.progress is not None
    for name in ("evaluation", "data_revisions", "memory", "model", "last_checkpoint"):
        assert getattr(found.progress, name) == getattr(full, name)


@pytest.mark.parametrize("text", ["short", "ü" * 5000, "\x00" * 3000])
@pytest.mark.parametrize("count", [1, 8, 500])
def test_findings_fit_into_a_termination_message_the_first_of_them_first(text: str, count: int) -> None:
    findings = [Finding(level="error", where=f"data {at}", message=text, hint=text) for at in range(count)]
    outcome = Outcome(exit_code=ExitCode.DATA_INVALID, reason="R", message=text, hint=text, findings=findings)
    said = outcome.to_termination_message()
    assert len(said.encode()) <= MESSAGE_LIMIT
    found = Outcome.from_termination_message(said)
    assert found is not None
    kept = [each.where for each in found.findings]
    assert kept == [f"data {at}" for at in range(len(kept))]
    assert len(kept) >= min(count, 3)


def test_small_termination_message_keeps_the_whole_report() -> None:
    outcome = _outcome("short", 2).model_copy(update={"hint": "do this"})
    assert Outcome.from_termination_message(outcome.to_termination_message()) == outcome


def test_termination_message_of_another_version_keeps_what_is_understood() -> None:
    whole = json.loads(_outcome("short", 0).to_termination_message()) | {"fieldOfTheFuture": 1}
    newer = Outcome.from_termination_message(json.dumps(whole))
    assert newer
    assert newer.progress
    whole["progress"]["stage"] = "distil"
    newest = Outcome.from_termination_message(json.dumps(whole))
    assert newest
    assert (newest.reason, newest.progress) == ("R", None)


@pytest.mark.parametrize("text", ["", "Traceback (most recent call last):", "{}", '{"exitCode": 1}', "null"])
def test_foreign_termination_message_is_not_an_outcome(text: str) -> None:
    assert Outcome.from_termination_message(text) is None


def test_all_rules_that_a_part_breaks_are_told_together() -> None:
    twice = [{"name": "a", "builtin": "format"}] * 2
    with pytest.raises(ValidationError) as caught:
        spec(rewards=twice, model={"maxSequenceLength": 512})
    told = [str(fault) for fault in faults(caught.value, "spec")]
    assert [each.partition(":")[0] for each in told] == ["spec.rewards", "spec.reinforce"], told


STEERS = "row \x1b[31m3\x1b[0m\r\nsays \x00, \u202e and half of \ud83d; caf\u00e9\t\u3000\U0001f468\u200d\U0001f469"
SHOWN = r"row \x1b[31m3\x1b[0m" + "\n" + r"says \x00, \u202e and half of \ud83d; " + STEERS.partition("; ")[2]


@pytest.mark.parametrize(
    "told",
    [
        lambda text: Problem(reason="R", message=text).message,
        lambda text: Problem(reason="R", message="", hint=text).hint,
        lambda text: Outcome(reason="R", message=text, exit_code=65).message,
        lambda text: Finding(level="error", where="data", message=text).message,
        lambda text: Condition(type="A", status="True", reason="R", message=text, last_transition_time="t").message,
        lambda text: GuardReport(condition="A", ok=False, reason="R", message=text).message,
        lambda text: ProgressStatus(display="1%", percent=1, detail=text, updated_at="t").detail,
        lambda text: SpecChange(stage="load", step=1, attempt=1, changed=[text]).changed[0],
        lambda text: SelfCheck(name="n", message=text).message,
    ],
)
def test_what_people_are_told_can_be_stored_and_steers_no_terminal(told: Callable[[str], str]) -> None:
    """Half a character cannot be written as UTF-8 at all: neither a last word nor a report could be sent."""
    assert told(STEERS) == SHOWN
    assert told(told(STEERS)).encode().decode() == SHOWN
