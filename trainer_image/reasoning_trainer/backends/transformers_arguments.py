"""Translates the spec into the arguments of Transformers, PEFT and bitsandbytes: pure, by the libraries' own names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from reasoning_contract.ranks import rank_of
from reasoning_contract.spec import Spec


def model_arguments(spec: Spec) -> dict[str, Any]:
    """Return the arguments of ``from_pretrained``, but for number type, device and quantisation."""
    return {"trust_remote_code": spec.model.trust_remote_code, "use_safetensors": True}


def precision_arguments(spec: Spec) -> dict[str, str]:
    """Return the number type that is computed in, by torch's name, and the device; of no device, the CPU."""
    if spec.parallelism.gpus_per_node == 0:
        return {"dtype": "float32"}
    return {"dtype": "bfloat16", "device": "cuda:0"}


def quantisation_arguments(spec: Spec) -> dict[str, Any]:
    """Return the arguments of ``BitsAndBytesConfig``, but for the number type; none for weights in 16 bits."""
    if spec.model.load_in == "4bit":
        return {"load_in_4bit": True, "bnb_4bit_quant_type": "nf4"}
    return {"load_in_8bit": True} if spec.model.load_in == "8bit" else {}


def adapter_arguments(spec: Spec) -> dict[str, Any]:
    """Return the arguments of ``peft.LoraConfig``."""
    lora = spec.lora
    return {
        "r": rank_of(spec),
        "lora_alpha": lora.alpha,
        "lora_dropout": lora.dropout,
        "target_modules": "all-linear" if lora.target_modules == ["all-linear"] else list(lora.target_modules),
        "use_rslora": lora.rank_stabilized,
        "task_type": "CAUSAL_LM",
    }


def trainer_arguments(spec: Spec) -> dict[str, Any]:
    """Return device and precision, as every TRL configuration takes them."""
    on_cpu = spec.parallelism.gpus_per_node == 0
    return {"use_cpu": on_cpu, "bf16": not on_cpu}


def generation_arguments(spec: Spec, stops: Sequence[int] = ()) -> dict[str, Any]:
    """Return the engine that generates during RL, as TRL's GRPO and RLOO configurations take it."""
    if spec.inference.engine == "transformers":
        return {"use_vllm": False}
    return {
        "use_vllm": True,
        "vllm_mode": spec.parallelism.vllm,
        "vllm_gpu_memory_utilization": spec.inference.gpu_memory_utilization,
        "vllm_max_model_length": spec.model.max_sequence_length,
        "vllm_enable_sleep_mode": spec.inference.standby,
    } | ({"generation_kwargs": {"stop_token_ids": list(stops)}} if stops else {})
