"""Translates the spec into Unsloth's and vLLM's arguments: pure, so that it can be read and tested without a GPU."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from reasoning_contract.exit_codes import ExitCode
from reasoning_contract.ranks import rank_of
from reasoning_contract.spec import Spec

from ..errors import TrainerError
from .engine_sizes import batch_tokens, sequences


def model_arguments(spec: Spec, folder: Path) -> dict[str, Any]:
    """Return the arguments of ``FastLanguageModel.from_pretrained``, but for the compilation of vLLM."""
    inference = spec.inference
    return {
        "model_name": str(folder),
        "max_seq_length": spec.model.max_sequence_length,
        "load_in_4bit": spec.model.load_in == "4bit",
        "load_in_8bit": spec.model.load_in == "8bit",
        "load_in_16bit": spec.model.load_in == "16bit",
        "load_in_fp8": spec.model.load_in == "fp8",
        "trust_remote_code": False,  # Unsloth refuses it with vLLM, and `unsupported` whoever asks for it
        "max_lora_rank": rank_of(spec),
        "random_state": spec.reinforce.seed,
        "fast_inference": True,
        "max_num_seqs": sequences(spec),
        "max_num_batched_tokens": batch_tokens(spec),
        "gpu_memory_utilization": inference.gpu_memory_utilization,
        "float8_kv_cache": inference.kv_cache_dtype == "fp8",
        "enforce_eager": inference.enforce_eager,
        "unsloth_vllm_standby": inference.standby,
    }


def refuse_short(spec: Spec, length: int) -> None:
    """Refuse an engine for shorter sequences than the spec wants: Unsloth shortens what finds no room, and goes on.

    Parameters
    ----------
    spec
        A resolved spec.
    length
        Most tokens of a sequence of the engine.

    Raises
    ------
    TrainerError
        If it is shorter.
    """
    wanted = spec.model.max_sequence_length
    if length >= wanted:
        return
    share = spec.inference.gpu_memory_utilization
    raise TrainerError(
        ExitCode.OUT_OF_GPU_MEMORY,
        "OutOfGPUMemory",
        f"vLLM's share of the GPU, {share:g}, holds sequences of {length} tokens beside the weights, by Unsloth's "
        f"count; model.maxSequenceLength is {wanted}",
        "raise inference.gpuMemoryUtilization, lower model.maxSequenceLength, or load fewer bits by model.loadIn",
        field="spec.inference.gpuMemoryUtilization",
    )


def adapter_arguments(spec: Spec) -> dict[str, Any]:
    """Return the arguments of ``FastLanguageModel.get_peft_model``."""
    lora = spec.lora
    standard = lora.gradient_checkpointing == "standard"
    return {
        "r": rank_of(spec),
        "lora_alpha": lora.alpha,
        "lora_dropout": lora.dropout,
        "target_modules": "all-linear" if lora.target_modules == ["all-linear"] else list(lora.target_modules),
        "use_rslora": lora.rank_stabilized,
        "use_gradient_checkpointing": "unsloth" if lora.gradient_checkpointing == "unsloth" else standard,
        "random_state": spec.reinforce.seed,
        "bias": "none",
    }


def trainer_arguments(spec: Spec) -> dict[str, Any]:
    """Return the precision, as every TRL configuration takes it."""
    return {"bf16": True}


def generation_arguments(spec: Spec, stops: Sequence[int] = ()) -> dict[str, Any]:
    """Return the engine that generates during RL, as TRL's GRPO and RLOO configurations take it."""
    return {"use_vllm": True} | ({"generation_kwargs": {"stop_token_ids": list(stops)}} if stops else {})
