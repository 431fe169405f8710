"""A head that computes in 32 bits, on models in 16."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from reasoning_trainer.backends.head import compute_in_32_bits


@pytest.fixture(params=["own weights", "tied to the embedding"])
def model(tiny_model: Path, request: pytest.FixtureRequest) -> Any:
    """The tiny model with an adapter, in bfloat16."""
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    whole = AutoModelForCausalLM.from_pretrained(tiny_model, dtype=torch.bfloat16)
    if request.param != "own weights":
        whole.config.tie_word_embeddings = True
        whole.lm_head.weight = whole.model.embed_tokens.weight
    return get_peft_model(whole, LoraConfig(r=4, target_modules="all-linear"))


TOKENS = torch.tensor([[1, 5, 9, 30, 7]])


@pytest.mark.parametrize("mixed", [False, True])
def test_logits_are_those_of_32_bits_from_the_last_hidden_states_on(model: Any, mixed: bool) -> None:
    """Under autocast too, which is how the trainer calls it on a GPU."""
    before = model.get_output_embeddings().weight
    compute_in_32_bits(model.get_output_embeddings())
    with torch.autocast("cpu", dtype=torch.bfloat16) if mixed else nullcontext():
        found = model(input_ids=TOKENS, output_hidden_states=True)
    exact = nn.functional.linear(found.hidden_states[-1].float(), before.float())
    assert found.logits.dtype == torch.float32
    assert torch.equal(found.logits, exact)
    assert not torch.equal(found.logits, exact.bfloat16().float())
    assert model.get_output_embeddings().weight is before
    assert before.dtype == torch.bfloat16


def test_the_adapter_learns_through_it(model: Any) -> None:
    compute_in_32_bits(model.get_output_embeddings())
    model(input_ids=TOKENS, labels=TOKENS).loss.backward()
    gradients = [each.grad for each in model.parameters() if each.requires_grad]
    assert any(grad is not None and grad.abs().max() > 0 for grad in gradients)


@pytest.mark.parametrize("learned", ["the head", "new tokens"])
@pytest.mark.parametrize("tied", [False, True])
def test_what_is_learned_of_the_head_itself_counts_as_before(tiny_model: Path, learned: str, tied: bool) -> None:
    """Both with the adapter and without; in 32 bits all along, so that nothing but the path differs."""
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    whole = AutoModelForCausalLM.from_pretrained(tiny_model, dtype=torch.float32)
    if tied:
        whole.config.tie_word_embeddings = True
        whole.lm_head.weight = whole.model.embed_tokens.weight
    ends = {"model.embed_tokens": [5, 9], "lm_head": [5, 9]}
    settings: dict[str, Any] = {"target_modules": ["q_proj"], "trainable_token_indices": ends}
    if learned == "the head":
        settings = {"target_modules": ["lm_head"]}
    model: Any = get_peft_model(whole, LoraConfig(r=4, init_lora_weights=False, **settings))
    for name, each in model.named_parameters():
        if "trainable_tokens_delta" in name:
            each.data += 1.0

    def logits() -> list[torch.Tensor]:
        with torch.no_grad():
            found = [model(input_ids=TOKENS).logits]
            with model.disable_adapter():
                return [*found, model(input_ids=TOKENS).logits]

    adapted, base = logits()
    compute_in_32_bits(model.get_output_embeddings())
    found = logits()
    assert torch.allclose(found[0], adapted, atol=1e-5)
    assert torch.allclose(found[1], base, atol=1e-5)
    assert not torch.allclose(adapted, base, atol=1e-2)
    model(input_ids=TOKENS, labels=TOKENS).loss.backward()
    of_head = [each.grad for name, each in model.named_parameters() if each.requires_grad and "lm_head" in name]
    assert all(grad is not None for grad in of_head)
