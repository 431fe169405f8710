"""How likely a model finds a text, against the definition."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from reasoning_trainer.backends import likelihood
from reasoning_trainer.backends.likelihood import log_likelihoods

PROMPTS = ["1+1=", "a longer question than that: 2+2=", "3"]
COMPLETIONS = ["2", "4, of course", "33333333"]


class Counted:
    """A model that counts the tokens that go through it at once."""

    def __init__(self, model: Any) -> None:
        self._model, self.tokens = model, []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def __call__(self, *, input_ids: torch.Tensor, **more: Any) -> Any:
        self.tokens.append(input_ids.numel())
        return self._model(input_ids=input_ids, **more)


def by_definition(model: Any, tokenizer: Any, prompt: str, completion: str) -> float:
    ids = [tokenizer(text, add_special_tokens=False)["input_ids"] for text in (prompt, completion)]
    with torch.no_grad():
        logits = model(input_ids=torch.tensor([ids[0] + ids[1]])).logits[0].log_softmax(-1)
    return float(sum(logits[len(ids[0]) + place - 1, token] for place, token in enumerate(ids[1])))


@pytest.mark.parametrize("most", [1, 64, 4096])
def test_sum_over_the_completion_whatever_goes_through_at_once(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(likelihood, "BATCH_TOKENS", most)
    model, tokenizer = AutoModelForCausalLM.from_pretrained(tiny_model), AutoTokenizer.from_pretrained(tiny_model)
    counted = Counted(model)
    found = log_likelihoods(counted, tokenizer, PROMPTS, COMPLETIONS)
    wanted = [by_definition(model, tokenizer, *pair) for pair in zip(PROMPTS, COMPLETIONS, strict=True)]
    assert found == pytest.approx(wanted, abs=1e-4)
    longest = max(len(tokenizer(text)["input_ids"]) for text in map("".join, zip(PROMPTS, COMPLETIONS, strict=True)))
    assert max(counted.tokens) <= max(most, longest)
    assert len(counted.tokens) == {1: 3, 64: 3, 4096: 1}[most]
