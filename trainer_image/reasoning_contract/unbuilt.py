"""What this version does not run. The spec has it already, so that later versions fill it in without changing it.

The operator refuses it before a pod is made, and the trainer before a library is imported.
"""

from __future__ import annotations

from collections.abc import Iterator

from .spec import GROUPED, Inference, Preflight, Spec

Gap = tuple[str, str]
"""A field of the spec, and what to do about it."""


def unsupported(spec: Spec) -> list[Gap]:
    """Return the fields of a resolved spec that ask for what this version lacks, each with what to do instead."""
    gaps = [*_cluster(spec), *_rewards(spec)]
    gaps += _on_unsloth(spec) if spec.backend == "unsloth" else _on_transformers(spec)
    return [(f"spec.{field}", advice) for field, advice in gaps]


def _cluster(spec: Spec) -> Iterator[Gap]:
    parallelism, preflight = spec.parallelism, spec.guards.preflight
    several = "this version trains on one GPU or on the CPU: set it to 1 (or gpusPerNode to 0)"
    asked = [
        ("parallelism.nodes", parallelism.nodes > 1, several),
        ("parallelism.gpusPerNode", parallelism.gpus_per_node > 1, several),
        ("parallelism.strategy", parallelism.strategy != "auto", "this version has no GPUs to share out: remove it"),
        ("parallelism.vllm", parallelism.vllm == "server", "this version has no vLLM server: use colocate"),
        ("queue", spec.queue is not None, "this version does not queue: remove it"),
        ("guards.preflight.enabled", preflight.enabled is True, "this version has no preflight pod: remove it"),
        (
            "guards.preflight.sampleRows",
            preflight.sample_rows != Preflight().sample_rows,
            "this version has no preflight pod: remove it",
        ),
        (
            "limits.stallTimeoutSeconds",
            spec.limits.stall_timeout_seconds is not None,
            "this version does not watch for stalls: remove it",
        ),
    ]
    yield from ((field, advice) for field, wanted, advice in asked if wanted)


def _rewards(spec: Spec) -> Iterator[Gap]:
    for index, reward in enumerate(spec.rewards):
        if reward.model is not None:
            yield f"rewards[{index}].model", "this version has no reward models: use builtin, python or http"


def _on_transformers(spec: Spec) -> Iterator[Gap]:
    inference, algorithm = spec.inference, spec.reinforce.algorithm
    if spec.model.load_in == "fp8":
        yield "model.loadIn", "backend transformers loads no fp8: use 4bit, 8bit or 16bit, or backend unsloth"
    if inference.engine == "vllm" and algorithm not in GROUPED:
        yield "inference.engine", f"algorithm {algorithm} does not generate with vllm here: use auto or transformers"
    unheard = ["max_num_seqs", "kv_cache_dtype", "enforce_eager", "standby"]
    unheard += ["gpu_memory_utilization"] if inference.engine == "transformers" else []
    for name in unheard:
        if getattr(inference, name) != getattr(Inference(), name):
            where = "without vllm" if name == "gpu_memory_utilization" else "on backend transformers"
            yield f"inference.{Inference.model_fields[name].alias}", f"it has no effect {where}: remove it"


def _on_unsloth(spec: Spec) -> Iterator[Gap]:
    if spec.inference.engine != "vllm":
        yield "inference.engine", "backend unsloth generates with vllm alone: use auto, or backend transformers"
    if spec.model.trust_remote_code:
        yield "model.trustRemoteCode", "backend unsloth refuses it with vllm: remove it, or use backend transformers"
    if spec.reinforce.algorithm == "PPO":
        yield "reinforce.algorithm", "backend unsloth has no PPO: use GRPO, or backend transformers"
    reference = spec.reinforce.beta and spec.reinforce.algorithm in GROUPED
    if reference and spec.data.warmup and not spec.warmup.skip:
        yield (
            "reinforce.beta",
            "after a warm-up Unsloth measures the divergence from the base model, not from the warmed-up one: set beta "
            "to 0, skip the warm-up, or use backend transformers",
        )
    if spec.chat_template.special_tokens:
        yield (
            "chatTemplate.specialTokens",
            "backend unsloth adds no tokens: use the model's, or backend transformers",
        )
