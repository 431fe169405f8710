"""The model's head: from hidden states to logits."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


def compute_in_32_bits(head: Any) -> None:
    """Have a head compute its logits in 32 bits, as ScaleRL does (Khatri et al. 2025, arXiv:2510.13786).

    Its weights stay as they are, so that they may be tied to the embedding. TRL's own `cast_lm_head_to_fp32` computes
    in 16 bits all the same where autocast is on, and finds no embedding under an adapter.

    Parameters
    ----------
    head
        The head, which PEFT may have wrapped to learn it or tokens of it: that counts as before. It is changed.
    """
    tokens = getattr(head, "token_adapter", None)
    base = getattr(tokens or head, "base_layer", head)

    def weight() -> Tensor:
        found: Tensor = base.weight
        if tokens is not None and not (tokens.disable_adapters or tokens.merged):
            found = tokens.get_merged_weights(tokens.active_adapters)
        return found

    def forward(hidden: Tensor) -> Tensor:
        bias = None if base.bias is None else base.bias.float()
        with torch.autocast(hidden.device.type, enabled=False):
            return nn.functional.linear(hidden.float(), weight().float(), bias)

    (tokens or base).forward = forward
