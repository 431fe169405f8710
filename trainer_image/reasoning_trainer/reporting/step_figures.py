"""Translates what the libraries log into the figures of the status."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from reasoning_contract.report import TrainingStatus

NAMES = {
    "loss": ("loss", "loss/policy_avg"),
    "learning_rate": ("learning_rate", "lr"),
    "grad_norm": ("grad_norm",),
    "reward": ("reward", "objective/scores"),
    "reward_std": ("reward_std",),
    "zero_variance_share": ("frac_reward_zero_std",),
    "sampled_zero_variance_share": ("groups/sampled_zero_std",),
    "kl": ("kl", "objective/kl"),
    "entropy": ("entropy", "policy/entropy_avg"),
    "importance_ratio": ("sampling/importance_sampling_ratio/mean",),
    "completion_length": ("completions/mean_length",),
    "clipped_share": ("completions/clipped_ratio",),
}
"""Field of the status -> keys of TRL, by trainer; the first that is there counts."""
SPENT = "completions/spent"
"""Completions that a stage has taken so far, as our own trainers log it: what learning costs."""
COUNTS = {"completions": SPENT, "groups_replaced": "groups/replaced", "rows_retired": "rows/retired"}
"""The same for whole numbers, which our own trainers log."""
PREFERENCE = ("chosen", "rejected", "accuracies", "margins")
DIGITS = 4
"""Significant digits of the figures in a report."""


def training_status(
    logs: Mapping[str, Any],
    *,
    tokens_per_second: float | None = None,
    gpu_memory_gib: float | None = None,
    gpu_use_percent: float | None = None,
    unscored: Mapping[str, int] | None = None,
) -> TrainingStatus:
    """Return the metrics of a step as they are: NaN and infinity included, for the guards to see.

    Parameters
    ----------
    logs
        What the trainer logged for one step.
    tokens_per_second
        Tokens processed a second, in this step.
    gpu_memory_gib
        Most that the process had of the GPU's memory so far, GiB.
    gpu_use_percent
        Share of the step in which the GPU computed, percent.
    unscored
        Completions that a reward could not score, so far.
    """
    figures: dict[str, Any] = {field: _first(logs, keys) for field, keys in NAMES.items()}
    figures |= {field: int(logs[key]) for field, key in COUNTS.items() if logs.get(key) is not None}
    figures["tokens_per_second"] = tokens_per_second
    figures["gpu_memory_gi_b"] = gpu_memory_gib
    figures["gpu_use_percent"] = gpu_use_percent
    rewards = {
        key.split("/")[1]: float(value)
        for key, value in logs.items()
        if key.startswith("rewards/") and key.endswith("/mean") and value is not None
    } | {name: float(logs[f"rewards/{name}"]) for name in PREFERENCE if logs.get(f"rewards/{name}") is not None}
    return TrainingStatus.model_validate(
        figures | {"rewards": rewards or None, "unscored": dict(unscored or {}) or None}
    )


def presentable(training: TrainingStatus) -> TrainingStatus:
    """Return the metrics as JSON and people can take them: finite and rounded; what is not finite is left out."""
    figures = training.model_dump(exclude_none=True)
    clean = {name: _round(value) for name, value in figures.items() if isinstance(value, float)}
    rewards = {name: _round(value) for name, value in figures.get("rewards", {}).items()}
    finite = {name: value for name, value in rewards.items() if value is not None}
    return training.model_copy(update=clean | {"rewards": finite or None})


def _first(logs: Mapping[str, Any], keys: tuple[str, ...]) -> float | None:
    return next((float(logs[key]) for key in keys if logs.get(key) is not None), None)


def _round(value: float) -> float | None:
    return float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None
