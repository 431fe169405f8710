"""How much memory of a GPU reward models take, from the spec and their config.json alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reasoning_contract.spec import ModelReward, Spec

from .gpu_memory import GIB, QUANTISED_BYTES, Shape, UnknownShapeError


def on_gpu(spec: Spec) -> dict[str, ModelReward]:
    """Return the reward models that score on the job's GPU, by the names of their rewards."""
    if not spec.parallelism.gpus_per_node:
        return {}
    return {each.name: each.model for each in spec.rewards if each.model and each.model.device == "auto"}


def reward_models_gib(spec: Spec, configs: Mapping[str, Mapping[str, Any]]) -> float:
    """Return what all reward models take of the GPU, GiB.

    Parameters
    ----------
    spec
        The spec.
    configs
        Their config.json, by the names of the rewards.

    Raises
    ------
    UnknownShapeError
        If one does not tell enough, or is not there.
    """
    models = on_gpu(spec)
    if missing := sorted(set(models) - set(configs)):
        raise UnknownShapeError(f"reward {missing[0]} has no config.json that can be read")
    return sum(reward_model_gib(model, configs[name]) for name, model in models.items())


def reward_model_gib(model: ModelReward, config: Mapping[str, Any]) -> float:
    """Return what a reward model takes beside the training, GiB: its weights, and one layer of a batch at its longest.

    Parameters
    ----------
    model
        The reward's settings.
    config
        The model's config.json.

    Raises
    ------
    UnknownShapeError
        If config.json does not tell enough.
    """
    shape = Shape.read(config)
    linear = QUANTISED_BYTES.get(model.load_in) or QUANTISED_BYTES["transformers", model.load_in]
    weights = shape.linear * linear + shape.vocabulary * shape.hidden * 2
    # in 16 bits: what goes in, queries, keys, values and what comes of them, and three of the width within
    layer = 2 * (3 * shape.hidden + 2 * shape.query + 2 * shape.key_value + 3 * shape.intermediate)
    return (weights + model.batch_size * model.max_length * layer) / GIB
