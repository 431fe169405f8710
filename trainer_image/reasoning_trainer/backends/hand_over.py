"""The weights of a model with its adapter as one model's, one after the other, for an engine that has its own copy."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from peft.tuners.lora import LoraLayer
from torch import nn

PEFT = "base_model.model."
BASE_LAYER = ".base_layer"


def merged_weights(model: nn.Module) -> Iterator[tuple[str, torch.Tensor]]:
    """Yield each weight under its name in the checkpoint, with what the adapter adds to it while it is switched on.

    The model stays as it is: merging the adapter and taking it out again, as TRL does before every step, rounds the
    weights of 16 bits twice.

    Parameters
    ----------
    model
        A Transformers model, with a LoRA of PEFT or without.

    Raises
    ------
    ValueError
        If the model has adapters that add to no linear layer's weights.
    """
    layers = {f"{name}{BASE_LAYER}.": each for name, each in model.named_modules() if isinstance(each, LoraLayer)}
    for name, weight in model.named_parameters():
        path, _, last = name.rpartition(".")
        layer = layers.get(f"{path}.")
        if layer is None and _is_of_an_adapter(name):
            continue
        if layer is None and BASE_LAYER in name:
            raise ValueError(f"{name} is of an adapter that cannot be added to a weight")
        yield checkpoint_name(name), _with_adapter(layer, weight) if layer and last == "weight" else weight.data


def checkpoint_name(name: str) -> str:
    """Return a weight's name in the checkpoint of the base model.

    >>> checkpoint_name("base_model.model.model.layers.0.self_attn.q_proj.base_layer.weight")
    'model.layers.0.self_attn.q_proj.weight'
    """
    return name.removeprefix(PEFT).replace(BASE_LAYER, "")


def _is_of_an_adapter(name: str) -> bool:
    return any(part.startswith("lora_") for part in name.split("."))


def _with_adapter(layer: LoraLayer, weight: torch.Tensor) -> torch.Tensor:
    """Return a new tensor; nothing is added where the adapter is switched off."""
    if layer.disable_adapters:
        return weight.data
    with torch.no_grad():
        merged = weight.data
        for adapter in layer.active_adapters:
            if adapter in layer.lora_A:
                merged = merged + layer.get_delta_weight(adapter).to(merged.dtype)
    return merged
