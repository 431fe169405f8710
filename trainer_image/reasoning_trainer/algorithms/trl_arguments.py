"""Translates the spec into TRL's arguments: pure, and nothing is dropped in silence.

A field that an algorithm does not know has its default: the spec's rules refuse any other value (`KNOWN_TO`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reasoning_contract.exit_codes import ExitCode
from reasoning_contract.spec import GROUPED, Reinforce, Spec

from ..errors import TrainerError

SCHEDULERS = {"constant": "constant_with_warmup", "linear": "linear", "cosine": "cosine"}
OPTIMIZERS = {"adamw": "adamw_torch", "adamw_8bit": "adamw_8bit", "paged_adamw_8bit": "paged_adamw_8bit"}

_EVERY = {
    "batch_size": "per_device_train_batch_size",
    "gradient_accumulation": "gradient_accumulation_steps",
    "learning_rate": "learning_rate",
    "scheduler": "lr_scheduler_type",
    "warmup_ratio": "warmup_steps",
    "optimizer": "optim",
    "weight_decay": "weight_decay",
    "max_grad_norm": "max_grad_norm",
    "seed": "seed",
}
_GROUPED = _EVERY | {
    "num_generations": "num_generations",
    "updates_per_generation": "steps_per_generation",
    "max_completion_length": "max_completion_length",
    "temperature": "temperature",
    "top_p": "top_p",
    "min_p": "min_p",
    "top_k": "top_k",
    "beta": "beta",
    "epsilon": "epsilon",
    "epsilon_high": "epsilon_high",
    "mask_truncated": "mask_truncated_completions",
}
_GRPO = _GROUPED | {
    "loss_type": "loss_type",
    "importance_sampling": "importance_sampling_level",
    "scale_rewards": "scale_rewards",
    "multi_objective_aggregation": "multi_objective_aggregation",
}
NAMES: Mapping[str, Mapping[str, str]] = {
    "GRPO": _GRPO,
    "GSPO": _GRPO,
    "DrGRPO": _GRPO,
    "DAPO": _GRPO,
    "ScaleRL": _GRPO,
    "RLOO": _GROUPED,
    "PPO": _EVERY
    | {
        "max_completion_length": "response_length",
        "temperature": "temperature",
        "beta": "kl_coef",
        "epsilon": "cliprange",
    },
    "DPO": _EVERY | {"beta": "beta"},
    "ORPO": _EVERY | {"beta": "beta"},
    "none": {},
}
"""Algorithm -> field of ``spec.reinforce`` -> argument of TRL's configuration."""


def _common(spec: Spec) -> dict[str, Any]:
    return {
        "gradient_checkpointing": spec.lora.gradient_checkpointing == "standard",
        "save_strategy": "steps",
        "save_steps": spec.checkpoint.every_steps,
        "logging_steps": 1,
        # else a loss that is no number is replaced by the last good one, and no guard ever sees it
        "logging_nan_inf_filter": False,
        "report_to": "none",
        "disable_tqdm": True,
    }


def warmup_arguments(spec: Spec) -> dict[str, Any]:
    """Return the arguments of ``trl.SFTConfig``, but for folder and device."""
    warmup = spec.warmup
    return _common(spec) | {
        "num_train_epochs": warmup.epochs,
        "learning_rate": warmup.learning_rate,
        "lr_scheduler_type": SCHEDULERS[warmup.scheduler],
        "warmup_steps": _warmup_steps(warmup.warmup_ratio),
        "per_device_train_batch_size": warmup.batch_size,
        "gradient_accumulation_steps": warmup.gradient_accumulation,
        "max_length": spec.model.max_sequence_length,
        "optim": OPTIMIZERS[spec.warmup_optimizer],
        "seed": spec.reinforce.seed,
    }


def reinforce_arguments(spec: Spec) -> dict[str, Any]:
    """Return the arguments of the algorithm's TRL configuration, but for folder and device.

    Parameters
    ----------
    spec
        A resolved spec.
    """
    reinforce = spec.reinforce
    names = NAMES[reinforce.algorithm]
    arguments = {argument: _translate(field, getattr(reinforce, field)) for field, argument in names.items()}
    for name in ("epsilon", "epsilon_high", "scale_rewards", "multi_objective_aggregation"):
        if name in arguments and arguments[name] is None:  # loss or aggregation has none: TRL is not told one
            del arguments[name]
    arguments |= _common(spec) | _length(reinforce) | {"save_steps": steps_between_checkpoints(spec)}
    if reinforce.updates_per_generation is not None:
        # TRL counts forward passes
        arguments["steps_per_generation"] = reinforce.updates_per_generation * reinforce.gradient_accumulation
    if reinforce.algorithm in ("DPO", "ORPO"):
        arguments["max_length"] = spec.model.max_sequence_length
    if spec.rewards and reinforce.algorithm != "PPO":
        arguments["reward_weights"] = [reward.weight for reward in spec.rewards]
    return arguments


def refuse_few_rows(reinforce: Reinforce, rows: int, note: str = "") -> None:
    """Refuse rows that do not fill one batch of completions of the GRPO family: TRL would go through none of them.

    Other algorithms take as few as there are.

    Parameters
    ----------
    reinforce
        The algorithm and its batches.
    rows
        How many rows there are.
    note
        What a message says after their number.

    Raises
    ------
    TrainerError
        If there are too few.
    """
    if reinforce.algorithm not in GROUPED:
        return
    completions = reinforce.batch_size * reinforce.gradient_accumulation * (reinforce.updates_per_generation or 1)
    needed = completions // reinforce.num_generations
    if rows < needed:
        raise TrainerError(
            ExitCode.DATA_INVALID,
            "DatasetTooSmall",
            f"data.train has {rows} rows{note}, and one generation takes {needed} prompts: reinforce.batchSize x "
            "gradientAccumulation x updatesPerGeneration / numGenerations",
            "give more rows, or lower one of those fields (numGenerations: raise it)",
        )


def steps_between_checkpoints(spec: Spec) -> int:
    """Return ``checkpoint.everySteps`` of the RL stage, rounded up so that none falls between two updates that share
    their completions: those are not saved, and a resumed run would generate others.
    """
    return _whole_generations(spec, spec.checkpoint.every_steps)


def steps_between_evaluations(spec: Spec) -> int | None:
    """Return ``evaluation.everySteps``, rounded up like checkpoints: one is saved before each; None for never."""
    every = spec.evaluation.every_steps if spec.evaluation.enabled else None
    return None if every is None else _whole_generations(spec, every)


def _whole_generations(spec: Spec, steps: int) -> int:
    updates = spec.reinforce.updates_per_generation or 1
    return -(-steps // updates) * updates


def sampling_rules(spec: Spec) -> dict[str, Any]:
    """Return the arguments of `SamplingRules` for a resolved spec of an algorithm with groups."""
    reinforce = spec.reinforce
    judges = [number for number, reward in enumerate(spec.rewards) if reward.builtin == "correctness"]
    return {
        "rounds": reinforce.resample_rounds or 0,
        "retire_from": reinforce.retire_solved,
        "leaves_out_equal": reinforce.average_over == "differing",
        "by_prompt": reinforce.loss_aggregation == "prompt",
        "verifiable": judges[0] if judges else None,
    }


def _translate(field: str, value: Any) -> Any:
    if field == "scheduler":
        return SCHEDULERS[value]
    if field == "optimizer":
        return OPTIMIZERS[value]
    if field == "warmup_ratio":
        return _warmup_steps(value)
    if field == "top_k":
        return value or 0
    return value


def _warmup_steps(ratio: float) -> float:
    """Return what TRL takes for a share of the steps: 1 would mean one step."""
    return min(ratio, 1 - 1e-9)


def _length(reinforce: Reinforce) -> dict[str, Any]:
    if reinforce.epochs is not None:
        return {"num_train_epochs": reinforce.epochs}
    if reinforce.algorithm == "PPO":
        completions = reinforce.batch_size * reinforce.gradient_accumulation
        return {"total_episodes": (reinforce.steps or 0) * completions}
    return {"max_steps": reinforce.steps}
