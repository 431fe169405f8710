"""How much memory of a GPU a reward model takes, from the spec and its config.json alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reasoning_contract.spec import ModelReward

from .gpu_memory import GIB, QUANTISED_BYTES, Shape


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
