"""What a layer leaves for the backward pass, counted from the tensors that PyTorch really keeps: that needs no GPU."""

from __future__ import annotations

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import LlamaConfig, LlamaForCausalLM

from reasoning_contract.resolve import resolve
from reasoning_contract.spec import Spec
from reasoning_trainer.backends.gpu_memory import Shape, layer_bytes

CONFIG = {
    "hidden_size": 256,
    "intermediate_size": 704,
    "num_attention_heads": 8,
    "num_key_value_heads": 2,
    "vocab_size": 64,
}
BATCH, LENGTH = 2, 128


def kept_bytes(layers: int) -> int:
    """Bytes of distinct memory that a forward pass keeps for the backward pass, but for weights."""
    torch.manual_seed(0)
    model = LlamaForCausalLM(LlamaConfig(num_hidden_layers=layers, **CONFIG)).to(torch.bfloat16)
    model = get_peft_model(model, LoraConfig(r=8, target_modules="all-linear", task_type="CAUSAL_LM"))
    weights = {weight.untyped_storage().data_ptr() for weight in model.parameters()}
    kept: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        # a cast or transposed weight is another memory, and no activation: it has no dimension of the batch
        if storage.data_ptr() not in weights and tensor.numel() >= BATCH * LENGTH:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    tokens = torch.randint(0, CONFIG["vocab_size"], (BATCH, LENGTH))
    mask = torch.ones_like(tokens)
    mask[0, :8] = 0  # prompts are padded on the left
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor), torch.autocast("cpu", torch.bfloat16):
        output = model(input_ids=tokens, attention_mask=mask, use_cache=False)
    assert output.logits.requires_grad
    return sum(kept.values())


def test_layer_keeps_what_the_estimate_counts() -> None:
    spec = {
        "backend": "transformers",
        "model": {"source": "file:///m"},
        "data": {"train": {"rows": [{"prompt": "a", "answer": "1"}]}, "heldOut": {"fraction": 0.5}},
        "rewards": [{"name": "correct", "builtin": "correctness"}],
    }
    shape = Shape.read(CONFIG | {"num_hidden_layers": 2})
    counted = layer_bytes(resolve(Spec.model_validate(spec)), shape)
    measured = (kept_bytes(4) - kept_bytes(2)) / 2 / (BATCH * LENGTH)
    assert counted == pytest.approx(measured, rel=0.15)
