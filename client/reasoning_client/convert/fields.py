"""Which argument of which call is which field of the spec. Data alone: docs/convert.md shows it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

SCHEDULERS = ("constant", "linear", "cosine")
OPTIMIZERS = {
    "adamw_torch": "adamw",
    "adamw_torch_fused": "adamw",
    "adamw_hf": "adamw",
    "adamw": "adamw",
    "adamw_8bit": "adamw_8bit",
    "adamw_bnb_8bit": "adamw_8bit",
    "paged_adamw_8bit": "paged_adamw_8bit",
}
ALGORITHMS = {
    "GRPOTrainer": "GRPO",
    "RLOOTrainer": "RLOO",
    "DPOTrainer": "DPO",
    "ORPOTrainer": "ORPO",
    "SFTTrainer": "none",
}
"""Trainers that are understood; SFT is the warm-up, with nothing after it."""
CONFIGS = ("GRPOConfig", "RLOOConfig", "DPOConfig", "ORPOConfig", "SFTConfig", "TrainingArguments")

Change = Callable[[Any], Any]


def _scheduler(value: Any) -> Any:
    return value if value in SCHEDULERS else None


def _scale(value: Any) -> Any:
    return {True: "group", False: "none"}.get(value, value if value in ("group", "batch", "none") else None)


def _positive(value: Any) -> Any:
    return value if isinstance(value, int | float) and value > 0 else None


def _as_it_is(value: Any) -> Any:
    return value


LEARNING: dict[str, tuple[str, Change]] = {
    "learning_rate": ("learningRate", float),
    "lr_scheduler_type": ("scheduler", _scheduler),
    "warmup_ratio": ("warmupRatio", float),
    "per_device_train_batch_size": ("batchSize", int),
    "gradient_accumulation_steps": ("gradientAccumulation", int),
    "optim": ("optimizer", OPTIMIZERS.get),
    "num_train_epochs": ("epochs", float),
}
"""Arguments that a warm-up and RL both have, in the part of the stage; a change to None has no equal here."""
REINFORCE: dict[str, tuple[str, Change]] = {
    "max_steps": ("steps", _positive),
    "num_generations": ("numGenerations", int),
    "max_prompt_length": ("maxPromptLength", _positive),
    "max_completion_length": ("maxCompletionLength", int),
    "temperature": ("temperature", float),
    "top_p": ("topP", float),
    "top_k": ("topK", lambda value: max(int(value), 0)),
    "min_p": ("minP", float),
    "beta": ("beta", float),
    "epsilon": ("epsilon", float),
    "epsilon_high": ("epsilonHigh", float),
    "loss_type": ("lossType", _as_it_is),
    "importance_sampling_level": ("importanceSampling", _as_it_is),
    "scale_rewards": ("scaleRewards", _scale),
    "multi_objective_aggregation": ("multiObjectiveAggregation", _as_it_is),
    "mask_truncated_completions": ("maskTruncated", bool),
    "weight_decay": ("weightDecay", float),
    "max_grad_norm": ("maxGradNorm", float),
    "seed": ("seed", int),
}
"""Arguments of RL and preference optimisation."""
PREFERENCE_ALONE = {"numGenerations", "temperature", "topP", "topK", "minP", "lossType", "importanceSampling"}
PREFERENCE_ALONE |= {"scaleRewards", "multiObjectiveAggregation", "maskTruncated", "epsilon", "epsilonHigh"}
"""Fields of RL that a preference algorithm does not have."""
ELSEWHERE: dict[str, tuple[str, Change]] = {
    "save_steps": ("checkpoint.everySteps", _positive),
    "save_total_limit": ("checkpoint.keep", _positive),
    "vllm_gpu_memory_utilization": ("inference.gpuMemoryUtilization", float),
    "max_length": ("model.maxSequenceLength", _positive),
    "max_seq_length": ("model.maxSequenceLength", _positive),
    "gradient_checkpointing": ("lora.gradientCheckpointing", lambda value: "standard" if value else "none"),
}
"""Arguments of a configuration that stand in another part of the spec."""
MODEL: dict[str, tuple[str, Change]] = {
    "max_seq_length": ("model.maxSequenceLength", int),
    "revision": ("model.revision", _as_it_is),
    "trust_remote_code": ("model.trustRemoteCode", bool),
    "gpu_memory_utilization": ("inference.gpuMemoryUtilization", float),
}
"""Arguments of `from_pretrained`."""
LORA: dict[str, tuple[str, Change]] = {
    "r": ("lora.rank", int),
    "lora_alpha": ("lora.alpha", int),
    "lora_dropout": ("lora.dropout", float),
    "use_rslora": ("lora.rankStabilized", bool),
    "use_gradient_checkpointing": (
        "lora.gradientCheckpointing",
        lambda value: "unsloth" if value == "unsloth" else "standard" if value else "none",
    ),
}
"""Arguments of `LoraConfig` and of Unsloth's `get_peft_model`."""
NOT_NEEDED = {
    *("output_dir", "logging_dir", "logging_steps", "logging_strategy", "logging_first_step", "report_to", "run_name"),
    *("save_strategy", "eval_strategy", "evaluation_strategy", "do_eval", "bf16", "fp16", "tf32", "dtype"),
    *("torch_dtype", "device_map", "remove_unused_columns", "dataloader_num_workers", "ddp_find_unused_parameters"),
    *("dataset_num_proc", "dataset_text_field", "packing", "model", "tokenizer", "processing_class", "bias"),
    *("task_type", "fast_inference", "max_lora_rank", "use_vllm", "vllm_mode", "log_completions", "random_state"),
    *(
        "loftq_config",
        "model_name",
        "low_cpu_mem_usage",
        "use_cache",
        "dataset_kwargs",
        "gradient_checkpointing_kwargs",
    ),
    *(
        "load_in_4bit",
        "load_in_8bit",
        "quantization_config",
        "attn_implementation",
        "disable_dropout",
        "inference_mode",
    ),
    *("full_finetuning", "model_init_kwargs", "dataloader_pin_memory", "disable_tqdm", "token", "vllm_server_host"),
}
"""What the operator or the trainer sees to, or what is read on another way: not listed as left out."""
