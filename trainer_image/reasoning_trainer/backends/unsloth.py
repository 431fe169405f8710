"""Backend unsloth: one NVIDIA GPU, vLLM in the same process, the least memory.

Unsloth patches the other libraries, so it is imported before them: this module is the first that the stages import when
the spec asks for it. docs/benchmarks.md says what of it has run on a GPU.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

if os.environ.get("UNSLOTH_VLLM_NO_FLASHINFER") == "1":
    # Unsloth hides it after vLLM has found it, if nvcc is on the PATH, and vLLM then misses parts of it: hidden before
    # either looks, it is not there for both
    sys.modules["flashinfer"] = None  # type: ignore[assignment]

import unsloth  # noqa: F401 before transformers, peft and trl, which it patches
from peft import PeftConfig, set_peft_model_state_dict
from peft.tuners.tuners_utils import BaseTunerLayer
from peft.utils import load_peft_weights
from unsloth import FastLanguageModel

from reasoning_contract.exit_codes import ExitCode
from reasoning_contract.spec import Spec

from ..chat.chat import Chat
from ..errors import TrainerError
from . import find_gpu, unsloth_arguments, vllm_arguments
from .base import Completion, Sampling
from .likelihood import log_likelihoods, token_likelihoods

ADAPTER = "default"
HIDDEN_STATES = "UNSLOTH_RETURN_HIDDEN_STATES"
"""Variable by which Unsloth's GRPO asks its models for hidden states."""
ADAPTER_FOLDER = "evaluated_adapter"
"""Where Unsloth writes the adapter's configuration for vLLM: in the working directory, as its own are."""


class UnslothBackend:
    """Loads, adapts and generates with Unsloth."""

    name = "unsloth"

    def __init__(self) -> None:
        self._adapter: Any = None

    def load(self, spec: Spec, folder: Path) -> tuple[Any, Any]:
        """Load the model and the engine beside it."""
        from vllm.config import CompilationConfig

        config = json.loads((folder / "config.json").read_text("utf-8"))
        with _with_cache_of(vllm_arguments.cache_bytes(spec, config, find_gpu())):
            model, tokenizer = FastLanguageModel.from_pretrained(
                **unsloth_arguments.model_arguments(spec, folder),
                compilation_config=CompilationConfig(**vllm_arguments.compilation_arguments(spec)),
            )
        unsloth_arguments.refuse_short(spec, model.vllm_engine.llm_engine.model_config.max_model_len)
        return model, tokenizer

    def adapt(self, model: Any, spec: Spec, new_tokens: Sequence[int]) -> Any:
        """Add a LoRA adapter."""
        if new_tokens:
            raise _not_supported(
                "chatTemplate.eosToken that the tokenizer lacks", "use a token of the model, or backend transformers"
            )
        return FastLanguageModel.get_peft_model(model, **unsloth_arguments.adapter_arguments(spec))

    def trainer_arguments(self, spec: Spec) -> dict[str, Any]:
        """Return the precision."""
        return unsloth_arguments.trainer_arguments(spec)

    def generation_arguments(self, spec: Spec, stops: Sequence[int] = ()) -> dict[str, Any]:
        """Return the engine that generates during RL, and where it stops."""
        return unsloth_arguments.generation_arguments(spec, stops)

    def engine(self, spec: Spec) -> str:
        """Return vllm: `unsupported` refuses anything else."""
        return "vllm"

    @contextmanager
    def generating(self, spec: Spec, model: Any, folder: Path, say: Callable[[str], None]) -> Iterator[None]:
        """Hand over the adapter as it is in memory, by the call that generates during RL, or none if it is off."""
        self._adapter = None if _is_switched_off(model) else model.load_lora(ADAPTER_FOLDER, load_tensors=True)
        yield

    @contextmanager
    def lending(self, spec: Spec, folder: Path, say: Callable[[str], None]) -> Iterator[None]:
        """Do nothing: Unsloth's trainers take the engine that it started beside the model."""
        yield

    def generate(self, model: Any, chat: Chat, prompts: Sequence[str], sampling: Sampling) -> list[list[Completion]]:
        """Generate with the engine that RL uses, or, where the adapter is switched off, without the adapter."""
        from vllm import SamplingParams

        parameters = SamplingParams(
            n=sampling.count,
            max_tokens=sampling.max_tokens,
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            top_k=sampling.top_k or -1,
            min_p=sampling.min_p or 0.0,
            seed=sampling.seed,
            stop_token_ids=[chat.tokenizer.eos_token_id],
        )
        # tokens, not text: vLLM would put the tokenizer's first token before one that the template has written already
        asked = [{"prompt_token_ids": chat.tokens(prompt)} for prompt in prompts]
        outputs = model.fast_generate(asked, parameters, lora_request=self._adapter, use_tqdm=False)
        return [
            [
                Completion(chat.text(each.token_ids), len(each.token_ids), tuple(each.token_ids))
                for each in output.outputs
            ]
            for output in outputs
        ]

    def log_likelihoods(
        self, model: Any, tokenizer: Any, prompts: Sequence[str], completions: Sequence[str]
    ) -> list[float]:
        """Score one padded batch with the model itself: the engine knows only what it generates."""
        return log_likelihoods(model, tokenizer, prompts, completions)

    def token_likelihoods(
        self,
        model: Any,
        padding: int,
        prompts: Sequence[Sequence[int]],
        completions: Sequence[Sequence[int]],
        temperature: float,
    ) -> list[list[float]]:
        """Score with the model itself, which in the middle of a step of GRPO gives out hidden states for logits."""
        before = os.environ.get(HIDDEN_STATES)
        os.environ[HIDDEN_STATES] = "0"
        try:
            return token_likelihoods(model, padding, prompts, completions, temperature)
        finally:
            os.environ.pop(HIDDEN_STATES)
            if before is not None:
                os.environ[HIDDEN_STATES] = before

    def switch_adapter(self, model: Any, folder: Path) -> None:
        """Read the weights into the adapter of the manifest: the engine is set up for that one."""
        names = ("r", "lora_alpha", "use_rslora")
        own, other = model.peft_config[ADAPTER], PeftConfig.from_pretrained(str(folder))
        differing = [name for name in names if getattr(own, name) != getattr(other, name)]
        if set(own.target_modules) != set(other.target_modules):
            differing.append("target_modules")
        if differing:
            raise _not_supported(
                f"an adapter ({folder}) that differs from the manifest's spec.lora in {', '.join(differing)}",
                "set spec.lora to the adapter's values, or use backend transformers",
            )
        self.load_adapter(model, folder)

    def load_adapter(self, model: Any, folder: Path) -> None:
        """Read the adapter's weights into the adapter that is trained."""
        set_peft_model_state_dict(model, load_peft_weights(str(folder), device="cpu"), adapter_name=ADAPTER)

    def copy_adapter(self, model: Any, name: str) -> None:
        """Refuse: Unsloth trains one adapter."""
        raise NotImplementedError("`unsupported` refuses PPO, the only algorithm that asks for a copy")

    def value_model(self, spec: Spec, folder: Path) -> Any:
        """Refuse: Unsloth holds one model."""
        raise NotImplementedError("`unsupported` refuses PPO, the only algorithm that has a critic")

    def save_adapter(self, model: Any, folder: Path) -> None:
        """Write the adapter."""
        model.save_pretrained(folder, selected_adapters=[ADAPTER])
        (folder / "README.md").unlink(missing_ok=True)  # PEFT's form of a model card, not filled in

    def save_merged(self, model: Any, tokenizer: Any, folder: Path) -> None:
        """Write the merged model in 16 bits."""
        model.save_pretrained_merged(str(folder), tokenizer, save_method="merged_16bit")


@contextmanager
def _with_cache_of(size: int | None) -> Iterator[None]:
    """Have the engine that Unsloth starts in this context take a cache of so many bytes: it has no argument for it."""
    import vllm

    start = vllm.LLM
    vllm.LLM = partial(start, kv_cache_memory_bytes=size)
    try:
        yield
    finally:
        vllm.LLM = start


def _is_switched_off(model: Any) -> bool:
    # by type: every Transformers model has a method of this name
    return any(module.disable_adapters for module in model.modules() if isinstance(module, BaseTunerLayer))


def _not_supported(what: str, hint: str) -> TrainerError:
    return TrainerError(ExitCode.NOT_SUPPORTED, "NotSupported", f"{what} is not supported by backend unsloth", hint)
