"""The model's head: from hidden states to logits."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def compute_in_32_bits(head: nn.Linear) -> None:
    """Have a head compute its logits in 32 bits, as ScaleRL does (Khatri et al. 2025, arXiv:2510.13786).

    Its weights stay as they are, so that they may be tied to the embedding. TRL's own `cast_lm_head_to_fp32` computes
    in 16 bits all the same where autocast is on, and finds no embedding under an adapter.

    Parameters
    ----------
    head
        The head; it is changed.
    """

    def forward(hidden: Tensor) -> Tensor:
        bias = None if head.bias is None else head.bias.float()
        with torch.autocast(hidden.device.type, enabled=False):
            return nn.functional.linear(hidden.float(), head.weight.float(), bias)

    head.forward = forward
