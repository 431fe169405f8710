"""vLLM as the engine beside backend transformers: built once, used by the evaluation and by TRL's trainers alike.

TRL builds an engine of its own in every trainer, with settings of its own. docs/gpu.md says what of this has run on a
GPU.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from trl.generation import vllm_generation

from reasoning_contract.spec import Spec

from .base import Sampling
from .engine import Drawn
from .vllm_arguments import compilation_arguments, engine_arguments


class VllmEngine:
    """An engine in this process.

    Parameters
    ----------
    llm
        ``vllm.LLM``, in the same process and on one GPU.
    sleeps
        Whether it gives its memory back while it is not used.
    """

    name = "vllm"

    def __init__(self, llm: Any, *, sleeps: bool) -> None:
        self._llm, self._sleeps = llm, sleeps
        self._asleep = False
        self.rest()

    def take(self, weights: Iterable[tuple[str, torch.Tensor]]) -> None:
        """Load the weights one by one, by their names in the checkpoint, as TRL does, and forget cached prompts."""
        self._wake()
        model = self._llm.llm_engine.model_executor.driver_worker.model_runner.model
        for name, weight in weights:
            model.load_weights([(name, weight)])
        self._llm.reset_prefix_cache()

    def generate(self, prompts: Sequence[Sequence[int]], sampling: Sampling, stops: Sequence[int]) -> list[list[Drawn]]:
        """Generate all at once. Nothing is drawn from PyTorch's random numbers that a trainer's follow from."""
        asked = [{"prompt_token_ids": list(prompt)} for prompt in prompts]
        with torch.random.fork_rng():
            outputs = self._llm.generate(asked, sampling_params=sampling_parameters(sampling, stops), use_tqdm=False)
        return [[_drawn(each) for each in output.outputs] for output in outputs]

    def rest(self) -> None:
        """Sleep, where that was asked for: weights and cache are given back, and the weights are lost."""
        if self._sleeps and not self._asleep:
            self._llm.sleep(level=2)
            self._asleep = True

    def _wake(self) -> None:
        if self._asleep:
            torch.cuda.empty_cache()  # what PyTorch keeps for later is what it wakes up into
            self._llm.wake_up()
            self._asleep = False

    @contextmanager
    def lent(self) -> Iterator[None]:
        """Have TRL's trainers take this engine: what they name ``LLM`` returns it. They hand it weights themselves.

        A trainer that is told to puts it to sleep as one just built, and again after each generation.
        """
        self._wake()
        built = vllm_generation.LLM
        vllm_generation.LLM = lambda **kwargs: self._llm
        try:
            yield
        finally:
            vllm_generation.LLM = built
        self._asleep = self._sleeps


def build(spec: Spec, folder: Path, config: dict[str, Any], gpu_bytes: float) -> VllmEngine:
    """Start vLLM for a model; the arguments are those of `engine_arguments`."""
    from vllm import LLM
    from vllm.config import CompilationConfig

    arguments = engine_arguments(spec, folder, config, gpu_bytes)
    llm = LLM(**arguments, compilation_config=CompilationConfig(**compilation_arguments(spec)))
    return VllmEngine(llm, sleeps=spec.inference.standby)


def sampling_parameters(sampling: Sampling, stops: Sequence[int]) -> Any:
    """Return ``vllm.SamplingParams``."""
    return vllm_generation.SamplingParams(
        n=sampling.count,
        max_tokens=sampling.max_tokens,
        temperature=sampling.temperature,
        top_p=sampling.top_p,
        top_k=sampling.top_k or -1,
        min_p=sampling.min_p or 0.0,
        seed=sampling.seed,
        stop_token_ids=list(stops),
        logprobs=0,
    )


def _drawn(output: Any) -> Drawn:
    tokens = list(output.token_ids)
    found = [float(at[token].logprob) for at, token in zip(output.logprobs, tokens, strict=True)]
    return Drawn(tokens, found)
