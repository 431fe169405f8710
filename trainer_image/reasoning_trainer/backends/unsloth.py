"""Backend unsloth: one NVIDIA GPU, vLLM in the same process, the least memory.

Unsloth patches the other libraries, so it is imported before them: this module is the first that the stages import when
the spec asks for it. docs/benchmarks.md says what of it has run on a GPU.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import unsloth  # noqa: F401 before transformers, peft and trl, which it patches
from peft import PeftConfig, set_peft_model_state_dict
from peft.tuners.tuners_utils import BaseTunerLayer
from peft.utils import load_peft_weights
from unsloth import FastLanguageModel
from unsloth.chat_templates import get_chat_template

from reasoning_contract.outcome import ExitCode
from reasoning_contract.spec import ChatTemplate, Spec

from ..errors import TrainerError
from .base import Completion, Sampling
from .likelihood import log_likelihoods

ADAPTER = "default"
ADAPTER_FOLDER = "evaluated_adapter"
"""Where Unsloth writes the adapter's configuration for vLLM: in the working directory, as its own are."""
MAX_NUM_SEQS = 255
"""Completions that vLLM decodes at once. Unsloth takes 256 for `pick from the free memory`, and so do its tokens a
batch: a figure that differs from start to start, for which nothing compiled earlier fits."""
MAX_NUM_BATCHED_TOKENS = 8192


class UnslothBackend:
    """Loads, adapts and generates with Unsloth."""

    name = "unsloth"

    def load(self, spec: Spec, folder: Path) -> tuple[Any, Any]:
        """Load the model and, for engine vllm, the engine beside it."""
        return FastLanguageModel.from_pretrained(
            model_name=str(folder),
            max_seq_length=spec.model.max_sequence_length,
            load_in_4bit=spec.model.load_in == "4bit",
            load_in_8bit=spec.model.load_in == "8bit",
            load_in_16bit=spec.model.load_in == "16bit",
            load_in_fp8=spec.model.load_in == "fp8",
            trust_remote_code=spec.model.trust_remote_code,
            max_lora_rank=spec.lora.rank,
            random_state=spec.reinforce.seed,
            **_engine(spec),
        )

    def adapt(self, model: Any, spec: Spec, new_tokens: Sequence[int]) -> Any:
        """Add a LoRA adapter."""
        if new_tokens:
            raise _not_supported("chatTemplate.specialTokens that the tokenizer lacks", "use tokens that it has")
        lora = spec.lora
        checkpointing: bool | str = lora.gradient_checkpointing == "standard"
        return FastLanguageModel.get_peft_model(
            model,
            r=lora.rank,
            lora_alpha=lora.alpha,
            lora_dropout=lora.dropout,
            target_modules="all-linear" if lora.target_modules == ["all-linear"] else list(lora.target_modules),
            use_rslora=lora.rank_stabilized,
            use_gradient_checkpointing="unsloth" if lora.gradient_checkpointing == "unsloth" else checkpointing,
            random_state=spec.reinforce.seed,
            bias="none",
        )

    def apply_family(self, tokenizer: Any, template: ChatTemplate) -> Any:
        """Set one of the templates that Unsloth knows."""
        return get_chat_template(tokenizer, chat_template=template.family)

    def trainer_arguments(self, spec: Spec) -> dict[str, Any]:
        """Return the precision."""
        return {"bf16": True}

    def generation_arguments(self, spec: Spec) -> dict[str, Any]:
        """Return the engine that generates during RL."""
        return {"use_vllm": spec.inference.engine == "vllm"}

    def generate(
        self, model: Any, tokenizer: Any, prompts: Sequence[str], sampling: Sampling
    ) -> list[list[Completion]]:
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
        )
        active = not _is_switched_off(model)
        # the adapter as it is in memory, by the same call that generates during RL
        adapter = model.load_lora(ADAPTER_FOLDER, load_tensors=True) if active else None
        outputs = model.fast_generate(list(prompts), parameters, lora_request=adapter, use_tqdm=False)
        return [[Completion(each.text, len(each.token_ids)) for each in output.outputs] for output in outputs]

    def log_likelihoods(
        self, model: Any, tokenizer: Any, prompts: Sequence[str], completions: Sequence[str]
    ) -> list[float]:
        """Score one padded batch with the model itself: the engine knows only what it generates."""
        return log_likelihoods(model, tokenizer, prompts, completions)

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
        raise NotImplementedError("`check` refuses PPO, the only algorithm that asks for a copy")

    def value_model(self, spec: Spec, folder: Path) -> Any:
        """Refuse: Unsloth holds one model."""
        raise NotImplementedError("`check` refuses PPO, the only algorithm that has a critic")

    def save_adapter(self, model: Any, folder: Path) -> None:
        """Write the adapter."""
        model.save_pretrained(folder, selected_adapters=[ADAPTER])
        (folder / "README.md").unlink(missing_ok=True)  # PEFT's form of a model card, not filled in

    def save_merged(self, model: Any, tokenizer: Any, folder: Path) -> None:
        """Write the merged model in 16 bits."""
        model.save_pretrained_merged(str(folder), tokenizer, save_method="merged_16bit")


def _engine(spec: Spec) -> dict[str, Any]:
    if spec.inference.engine != "vllm":
        return {"fast_inference": False}
    from vllm.config import CompilationConfig

    inference = spec.inference
    sequences = inference.max_num_seqs or MAX_NUM_SEQS
    return {
        "fast_inference": True,
        "max_num_seqs": sequences,
        "max_num_batched_tokens": max(MAX_NUM_BATCHED_TOKENS, spec.model.max_sequence_length),
        # CUDA graphs of decoding alone, and nothing compiled: that takes minutes of every start, decoding gains little
        "compilation_config": CompilationConfig(
            mode=0, cudagraph_mode="FULL_DECODE_ONLY", cudagraph_capture_sizes=_capture_sizes(sequences)
        ),
        "gpu_memory_utilization": inference.gpu_memory_utilization,
        "float8_kv_cache": inference.kv_cache_dtype == "fp8",
        "enforce_eager": inference.enforce_eager,
        "unsloth_vllm_standby": inference.standby,
    }


def _capture_sizes(sequences: int) -> list[int]:
    """Return the batch sizes to record: a batch in between is padded to the next.

    >>> _capture_sizes(20)
    [1, 2, 4, 8, 16, 20]
    """
    powers = [1 << power for power in range(sequences.bit_length())]
    return sorted({*powers, sequences})


def _is_switched_off(model: Any) -> bool:
    # by type: every Transformers model has a method of this name
    return any(module.disable_adapters for module in model.modules() if isinstance(module, BaseTunerLayer))


def _not_supported(what: str, hint: str) -> TrainerError:
    return TrainerError(ExitCode.NOT_SUPPORTED, "NotSupported", f"{what} is not supported by backend unsloth", hint)
