"""Every field of spec.reinforce, lora and warmup has an effect on what TRL is told, or is refused."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from pydantic import ValidationError

from reasoning_contract.exit_codes import ExitCode
from reasoning_contract.resolve import resolve
from reasoning_contract.spec import PREFERENCE, Algorithm, Checkpoint, Reinforce, Spec, Warmup
from reasoning_contract.spec.training import KNOWN_TO
from reasoning_trainer.algorithms.trl_arguments import (
    NAMES,
    refuse_few_rows,
    reinforce_arguments,
    sampling_rules,
    warmup_arguments,
)
from reasoning_trainer.errors import TrainerError

OTHER: dict[str, Any] = {
    "algorithm": "GSPO",
    "steps": 7,
    "epochs": 2.0,
    "numGenerations": 4,
    "batchSize": 16,
    "gradientAccumulation": 2,
    "updatesPerGeneration": 3,
    "maxPromptLength": 100,
    "maxCompletionLength": 64,
    "learningRate": 0.5,
    "scheduler": "linear",
    "warmupRatio": 0.3,
    "optimizer": "paged_adamw_8bit",
    "weightDecay": 0.2,
    "maxGradNorm": 0.5,
    "temperature": 0.7,
    "topP": 0.9,
    "minP": 0.1,
    "topK": 5,
    "beta": 0.3,
    "epsilon": 0.05,
    "epsilonHigh": 0.4,
    "lossType": "bnpo",
    "importanceSampling": "sequence",
    "lossAggregation": "prompt",
    "fp32LmHead": True,
    "scaleRewards": "batch",
    "multiObjectiveAggregation": "normalize_then_sum",
    "maskTruncated": True,
    "resampleRounds": 2,
    "retireSolved": 0.9,
    "averageOver": "differing",
    "seed": 5,
}
"""A value of every field that is not its default."""
OF_SOME: dict[str, Any] = {
    "importanceSampling": "token",
    "maskTruncated": False,
    "lossAggregation": "token",
    "fp32LmHead": False,
    "scaleRewards": "none",
    "retireSolved": 0.5,
    "averageOver": "all",
}
"""Another value, for the algorithms whose own is the one above."""
SAMPLED = {"resample_rounds", "retire_solved", "average_over", "loss_aggregation"}
"""Fields that our own sampler follows, around TRL's trainers with groups."""
ELSEWHERE = {"max_prompt_length", "max_completion_length", "fp32_lm_head", "seed"}
"""Fields that have an effect whatever TRL is told: on the rows, the evaluation, adapter and warm-up."""
ALGORITHMS = [name for name in get_args(Algorithm) if name != "none"]


def spec(algorithm: str = "GRPO", **reinforce: Any) -> Spec:
    rows = [{"prompt": "1", "answer": "1", "chosen": "1", "rejected": "2"}]
    rewards = [] if algorithm in PREFERENCE else [{"name": "format", "builtin": "format", "weight": 0.5}]
    if "retireSolved" in reinforce or algorithm == "ScaleRL":
        rewards.append({"name": "correct", "builtin": "correctness"})
    document = {
        "model": {"source": "file:///model"},
        "data": {"train": {"rows": rows}},
        "rewards": rewards,
        "evaluation": {"enabled": False},
        "backend": "transformers",
        "reinforce": {"algorithm": algorithm} | reinforce,
    }
    return resolve(Spec.model_validate(document))


def test_the_walk_covers_every_field() -> None:
    assert OTHER.keys() == {field.alias for field in Reinforce.model_fields.values()}


@pytest.mark.parametrize("field", sorted(OTHER.keys() - {"algorithm", "maxPromptLength"}))
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_field_has_an_effect_or_is_refused(algorithm: str, field: str) -> None:
    if algorithm == "ScaleRL" and field in ("epsilon", "epsilonHigh"):
        with pytest.raises(ValidationError, match=r"no lower clipping range|the largest ratio itself"):
            spec(algorithm, **{field: OTHER[field]})
        return
    python_name = next(name for name, each in Reinforce.model_fields.items() if each.alias == field)
    takers = ("DAPO", "ScaleRL") if field == "lossAggregation" else KNOWN_TO.get(python_name, ALGORITHMS)
    if algorithm not in takers:
        with pytest.raises(ValidationError, match=f"{field}: .*(has no effect with this algorithm|are a mean over)"):
            spec(algorithm, **{field: OTHER[field]})
        return
    alike = getattr(spec(algorithm).reinforce, python_name) == OTHER[field]
    changed = spec(algorithm, **{field: OF_SOME[field] if alike else OTHER[field]})
    if python_name in NAMES[algorithm] or python_name in ("steps", "epochs"):
        assert reinforce_arguments(changed) != reinforce_arguments(spec(algorithm))
    elif python_name in SAMPLED:
        assert sampling_rules(changed) != sampling_rules(spec(algorithm))
    else:
        assert python_name in ELSEWHERE
        assert reinforce_arguments(changed) == reinforce_arguments(spec(algorithm))


@pytest.mark.parametrize("algorithm", get_args(Algorithm))
def test_the_rules_know_the_fields_that_trl_is_told(algorithm: str) -> None:
    known = {name for name, algorithms in KNOWN_TO.items() if algorithm in algorithms}
    assert known - SAMPLED == NAMES[algorithm].keys() - ELSEWHERE - {"optimizer"}


def test_values_arrive_as_given() -> None:
    without = ("algorithm", "epochs", "numGenerations", "multiObjectiveAggregation", "lossAggregation")
    given = {name: value for name, value in OTHER.items() if name not in without}
    arguments = reinforce_arguments(spec("GRPO", **given))
    assert arguments["max_steps"] == 7
    assert arguments["per_device_train_batch_size"] == 16
    assert arguments["gradient_accumulation_steps"] == 2
    assert arguments["lr_scheduler_type"] == "linear"
    assert arguments["warmup_steps"] == 0.3
    assert arguments["optim"] == "paged_adamw_8bit"
    assert (arguments["epsilon"], arguments["epsilon_high"]) == (0.05, 0.4)
    assert arguments["importance_sampling_level"] == "sequence"
    assert arguments["reward_weights"] == [0.5, 1.0]
    assert sampling_rules(spec("GRPO", **given)) == {
        "rounds": 2,
        "retire_from": 0.9,
        "leaves_out_equal": True,
        "by_prompt": False,
        "verifiable": 1,
    }


@pytest.mark.parametrize(
    ("loss", "told"),
    [
        ("cispo", {"epsilon_high": 5.0}),
        ("sapo", {}),
        ("luspo", {"epsilon": 2e-3, "epsilon_high": 2.5e-3}),
        ("vespo", {}),
    ],
)
def test_a_bound_that_a_loss_has_not_is_left_to_trl(loss: str, told: dict[str, float]) -> None:
    arguments = reinforce_arguments(spec(lossType=loss))
    assert {name: arguments[name] for name in ("epsilon", "epsilon_high") if name in arguments} == told


def test_a_warm_up_of_the_learning_rate_over_all_steps_is_no_single_step() -> None:
    assert 0.99 < reinforce_arguments(spec(warmupRatio=1.0))["warmup_steps"] < 1


def test_updates_per_generation_are_forward_passes_to_trl() -> None:
    assert reinforce_arguments(spec("GRPO", gradientAccumulation=2))["steps_per_generation"] == 2
    assert reinforce_arguments(spec("GSPO", gradientAccumulation=2))["steps_per_generation"] == 8


def test_rows_that_do_not_fill_a_generation_are_refused() -> None:
    reinforce = spec("GSPO", batchSize=16, numGenerations=8).reinforce
    refuse_few_rows(reinforce, 8)
    with pytest.raises(TrainerError, match="has 7 rows, and one generation takes 8 prompts") as error:
        refuse_few_rows(reinforce, 7)
    assert error.value.exit_code == ExitCode.DATA_INVALID


@pytest.mark.parametrize(("updates", "every", "saved"), [(1, 25, 25), (4, 25, 28), (4, 24, 24), (8, 1, 8)])
def test_checkpoints_wait_for_the_last_update_of_a_generation(updates: int, every: int, saved: int) -> None:
    job = spec("GRPO", updatesPerGeneration=updates).model_copy(update={"checkpoint": Checkpoint(every_steps=every)})
    assert reinforce_arguments(job)["save_steps"] == saved
    assert warmup_arguments(job)["save_steps"] == every


def test_ppo_counts_completions() -> None:
    arguments = reinforce_arguments(spec("PPO", steps=7, batchSize=4, gradientAccumulation=3))
    assert arguments["total_episodes"] == 7 * 4 * 3
    assert "reward_weights" not in arguments


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("epochs", 3.0),
        ("learningRate", 0.1),
        ("scheduler", "linear"),
        ("warmupRatio", 0.2),
        ("batchSize", 3),
        ("gradientAccumulation", 7),
    ],
)
def test_fields_of_the_warm_up_have_an_effect(field: str, value: object) -> None:
    def arguments(**warmup: object) -> dict[str, Any]:
        return warmup_arguments(spec().model_copy(update={"warmup": Warmup.model_validate(warmup)}))

    assert arguments(**{field: value}) != arguments()


def test_where_each_reward_is_normalised_trl_is_not_told_how_their_sum_is() -> None:
    arguments = reinforce_arguments(spec("DrGRPO", multiObjectiveAggregation="normalize_then_sum"))
    assert arguments["multi_objective_aggregation"] == "normalize_then_sum"
    assert "scale_rewards" not in arguments
