"""Translates the spec into vLLM's arguments: pure, so that it can be read and tested without a GPU."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reasoning_contract.spec import Spec

from .engine_sizes import batch_tokens, sequences
from .gpu_memory import Shape, UnknownShapeError, engine_cache_bytes


def engine_arguments(spec: Spec, folder: Path, config: Mapping[str, Any], gpu_bytes: float) -> dict[str, Any]:
    """Return the arguments of ``vllm.LLM`` for the engine beside backend transformers, but for its compilation.

    Parameters
    ----------
    spec
        A resolved spec.
    folder
        The model's.
    config
        Its config.json, which tells how large its cache must be: vLLM then measures nothing while it starts. Of a
        model of unknown shape vLLM takes its whole share.
    gpu_bytes
        Memory of the GPU.
    """
    inference = spec.inference
    return {
        "model": str(folder),
        "dtype": "bfloat16",
        "trust_remote_code": spec.model.trust_remote_code,
        "max_model_len": spec.model.max_sequence_length,
        "max_num_seqs": sequences(spec),
        "max_num_batched_tokens": batch_tokens(spec),
        "gpu_memory_utilization": inference.gpu_memory_utilization,
        "kv_cache_memory_bytes": cache_bytes(spec, config, gpu_bytes),
        "kv_cache_dtype": inference.kv_cache_dtype,
        "enforce_eager": inference.enforce_eager,
        "enable_sleep_mode": inference.standby,
        # what the importance correction compares with: log-probabilities of what was drawn from
        "logprobs_mode": "processed_logprobs",
        "seed": 0,
        "disable_log_stats": True,
    }


def compilation_arguments(spec: Spec) -> dict[str, Any]:
    """Return the arguments of ``vllm.config.CompilationConfig``.

    CUDA graphs of decoding alone, and nothing compiled: that takes minutes of every start, and decoding gains little.
    """
    if spec.inference.enforce_eager:
        return {"mode": 0, "cudagraph_mode": "NONE"}
    return {
        "mode": 0,
        "cudagraph_mode": "FULL_DECODE_ONLY",
        "cudagraph_capture_sizes": capture_sizes(sequences(spec)),
    }


def capture_sizes(most: int) -> list[int]:
    """Return the batch sizes to record: a batch in between is padded to the next.

    >>> capture_sizes(20)
    [1, 2, 4, 8, 16, 20]
    """
    powers = [1 << power for power in range(most.bit_length())]
    return sorted({*powers, most})


def cache_bytes(spec: Spec, config: Mapping[str, Any], gpu_bytes: float) -> int | None:
    """Return the bytes of vLLM's cache; None where the model's shape is unknown, and vLLM takes its whole share.

    Parameters
    ----------
    spec, config, gpu_bytes
        As for `engine_arguments`.
    """
    try:
        return engine_cache_bytes(spec, Shape.read(config), gpu_bytes)
    except UnknownShapeError:
        return None
