"""The environment that the libraries must find before they are imported."""

from __future__ import annotations

import logging
import math
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

CPU_QUOTA = Path("/sys/fs/cgroup/cpu.max")
LOGIT_ROWS = 1024
"""Tokens of which Unsloth has logits at once; it takes a quarter of them where that is less."""
SETTINGS = {
    "DO_NOT_TRACK": "1",
    "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    # PyTorch asks for the user's name when it is imported, and the pod's user has none
    "LOGNAME": "trainer",
    # threads that spin while they wait take the CPU from those that they wait for, once it is shared
    "OMP_WAIT_POLICY": "PASSIVE",
    "TOKENIZERS_PARALLELISM": "false",
    "TRANSFORMERS_VERBOSITY": "warning",
    "TRL_EXPERIMENTAL_SILENCE": "1",
    # Unsloth's torch.compile traces the first step of GRPO for minutes, up to never; without it the step starts at once
    "UNSLOTH_COMPILE_DISABLE": "1",
    "UNSLOTH_DISABLE_STATISTICS": "1",
    # logits are kept for the backward pass otherwise: 4 GiB for 8 completions of 1,024 tokens from 128,256 words
    "UNSLOTH_GRPO_LOGPROB_RECOMPUTE": "1",
    "UNSLOTH_GRPO_MAX_ROWS_PER_CHUNK": str(LOGIT_ROWS),
    # FlashInfer compiles its kernels when they are first used, with a compiler that the image has not; vLLM has its own
    "UNSLOTH_VLLM_NO_FLASHINFER": "1",
    # the engine lives in the process of the model whose weights it takes
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_USE_FLASHINFER_SAMPLER": "0",
}


CACHES = {
    "HF_HOME": "huggingface",
    "VLLM_CACHE_ROOT": "vllm",
    "TORCHINDUCTOR_CACHE_DIR": "inductor",
    "TRITON_CACHE_DIR": "triton",
    "FLASHINFER_WORKSPACE_BASE": "flashinfer",
}
"""Variable -> its folder in the cache that processes share. These libraries write a file elsewhere and move it, or
lock it, and name it after versions, device and content: none is stale, and none is seen half written. What vLLM
writes otherwise, `engine_cache` guards."""
PRIVATE = {
    # Unsloth writes its modules in place and anew at every start, under names that say nothing of model and settings,
    # and executes them: sharing them saves nothing, and a job of other settings would change them under one that reads
    "UNSLOTH_COMPILE_LOCATION": "unsloth",
    # code of a model's repository is copied file by file
    "HF_MODULES_CACHE": "modules",
    # parts of files that the shared cache holds whole
    "HF_XET_CACHE": "xet",
    "VLLM_CONFIG_ROOT": "vllm-config",
}
"""Variable -> its folder among those that only this process writes to."""


def prepare() -> None:
    """Set what libraries read when they are imported, unless the environment says otherwise."""
    for name, value in (SETTINGS | folders(os.environ)).items():
        os.environ.setdefault(name, value)
    os.environ.setdefault("OMP_NUM_THREADS", str(cpus()))
    # imported on a CPU too, where it warns of a kernel for 4-bit weights, which the spec refuses there
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)


def folders(environment: Mapping[str, str]) -> dict[str, str]:
    """Return where libraries keep what they download and compile, by variable.

    Parameters
    ----------
    environment
        XDG_CACHE_HOME in it is the shared cache; ``~/.cache`` without it, as the XDG Base Directory Specification says.
    """
    shared = Path(environment.get("XDG_CACHE_HOME") or Path.home() / ".cache").absolute()
    private = Path(tempfile.gettempdir(), f"reasoning-trainer-{os.getpid()}")
    caches = {name: str(shared / folder) for name, folder in CACHES.items()}
    return caches | {name: str(private / folder) for name, folder in PRIVATE.items()}


def cpus(quota: Path = CPU_QUOTA) -> int:
    """Return the CPUs that this process may use: libraries count those of the node and start a thread for each.

    Parameters
    ----------
    quota
        The file of the control group that says ``MICROSECONDS PERIOD``, or ``max PERIOD`` for no limit.
    """
    allowed = len(os.sched_getaffinity(0))
    used, period = quota.read_text().split() if quota.exists() else ("max", "1")
    return allowed if used == "max" else max(1, min(allowed, math.ceil(int(used) / int(period))))
