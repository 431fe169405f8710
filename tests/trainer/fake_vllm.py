"""A stand-in for vLLM on a CPU: a Transformers model of its own behind the names of ``vllm.LLM`` that are called."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import torch
from transformers import AutoModelForCausalLM


@dataclass
class FakeSamplingParams:
    """What the stand-in hears of ``vllm.SamplingParams``."""

    max_tokens: int = 16
    temperature: float = 1.0
    n: int = 1
    top_p: float = 1.0
    top_k: int = -1
    min_p: float = 0.0
    seed: int | None = None
    logprobs: int | None = None
    repetition_penalty: float = 1.0
    stop_token_ids: list[int] = field(default_factory=list)


class FakeLLM:
    """Generates token by token, and forgets its weights when it sleeps, as level 2 has it."""

    def __init__(self, folder: str, stop: int) -> None:
        self.model = AutoModelForCausalLM.from_pretrained(folder)
        self.stop, self.asleep = stop, False
        self.calls: list[str] = []
        model = SimpleNamespace(load_weights=self._load)
        runner = SimpleNamespace(model_runner=SimpleNamespace(model=model))
        self.llm_engine = SimpleNamespace(
            model_executor=SimpleNamespace(driver_worker=runner), model_config=SimpleNamespace(max_model_len=128)
        )

    def _load(self, weights: Iterable[tuple[str, torch.Tensor]]) -> None:
        assert not self.asleep
        own = self.model.state_dict()
        for name, weight in weights:
            own[name].copy_(weight)

    def reset_prefix_cache(self) -> None:
        self.calls.append("handed over")

    def sleep(self, level: int) -> None:
        assert not self.asleep
        self.asleep = True
        for weight in self.model.parameters():
            weight.data.zero_()

    def wake_up(self, tags: Sequence[str] | None = None) -> None:
        self.asleep = False

    def generate(
        self, prompts: Sequence[dict[str, list[int]]], sampling_params: FakeSamplingParams, use_tqdm: bool
    ) -> list[Any]:
        assert not self.asleep
        self.calls.append("generated")
        return [
            SimpleNamespace(
                prompt_token_ids=prompt["prompt_token_ids"],
                outputs=[self._draw(prompt["prompt_token_ids"], sampling_params) for _ in range(sampling_params.n)],
            )
            for prompt in prompts
        ]

    def _draw(self, prompt: list[int], sampling: FakeSamplingParams) -> Any:
        tokens: list[int] = []
        found: list[dict[int, Any]] = []
        while len(tokens) < sampling.max_tokens and self.stop not in tokens:
            with torch.no_grad():
                logits = self.model(input_ids=torch.tensor([prompt + tokens])).logits[0, -1]
            chances = (logits / (sampling.temperature or 1.0)).log_softmax(-1)
            token = int(chances.argmax() if sampling.temperature == 0 else torch.multinomial(chances.exp(), 1))
            tokens.append(token)
            found.append({token: SimpleNamespace(logprob=float(chances[token]), rank=1)})
        return SimpleNamespace(token_ids=tokens, logprobs=found)
