"""Recognises errors that mean a resource has run out, and says which fields and figures go with it."""

from __future__ import annotations

import errno
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from reasoning_contract.exit_codes import ExitCode
from reasoning_contract.memory_settings import memory_settings
from reasoning_contract.report import RunStage
from reasoning_contract.spec import Spec

from .errors import TrainerError
from .reporting.memory import memory_status

GPU_TEXTS = (
    "CUDA out of memory",
    "CUDA error: out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    # vLLM
    "No available memory for the cache blocks",
    "larger than the available KV cache memory",
    "is less than desired GPU memory utilization",
)
SHARED_GPU_TEXTS = ("Error in memory profiling",)
"""What vLLM says where another process gives memory back while it measures what is free."""
HOST_TEXTS = ("DefaultCPUAllocator", "Cannot allocate memory")
FULL_TEXTS = ("No space left on device", "Disk quota exceeded")
TORCH_SAVE_TEXTS = ("PytorchStreamWriter", "inline_container")
"""What torch.save says whatever kept it from writing."""
NEARLY_FULL = 1 << 20
"""Free bytes of a volume below which it is called full."""
SIZES = {
    "asked for": r"[Tt]ried to allocate ([\d.]+ \w+)",
    "the GPU has": r"total capacity of ([\d.]+ \w+)",
    "free": r"of which ([\d.]+ \w+) is free",
    "held by PyTorch's tensors": r"([\d.]+ \w+) is allocated by PyTorch",
    "reserved beside them": r"([\d.]+ \w+) is reserved by PyTorch but unallocated",
}
"""Figures in PyTorch's message."""
GIB = 1 << 30


def resource_failure(
    error: BaseException, spec: Spec | None, stage: RunStage | None, volume: Path
) -> TrainerError | None:
    """Return what an error, or what caused it, means if a resource ran out; None if none did.

    Parameters
    ----------
    error
        The error.
    spec
        The job; None before it is read.
    stage
        What was being done; None before anything was.
    volume
        The run's folder.
    """
    for cause in causes(error):
        if is_storage_full(cause) or _may_be_a_full_volume(cause, volume):
            return _storage_full(cause, volume)
        if _says(cause, SHARED_GPU_TEXTS):
            return _shared_gpu(cause)
        if is_out_of_gpu_memory(cause):
            return _out_of_gpu_memory(cause, spec, stage)
        if is_out_of_host_memory(cause):
            return _out_of_host_memory(cause, spec, stage)
    return None


def causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and what caused it, one after the other."""
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = _cause(cause)


def _cause(error: BaseException) -> BaseException | None:
    """Return what an error was raised from, or while it was handled.

    A failure that has a name is raised to end the attempt. Whoever catches one has dealt with it, and what goes wrong
    after that is another matter, unless it says that it was raised from it.
    """
    if error.__cause__ is not None or error.__suppress_context__:
        return error.__cause__
    return None if isinstance(error.__context__, TrainerError) else error.__context__


def is_storage_full(error: BaseException) -> bool:
    """Whether a volume has no room left."""
    known = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
    return known or _says(error, FULL_TEXTS)


def _may_be_a_full_volume(error: BaseException, volume: Path) -> bool:
    """Whether torch.save failed, which does not say why, and there is no room on the run's volume."""
    return _says(error, TORCH_SAVE_TEXTS) and shutil.disk_usage(volume).free < NEARLY_FULL


def is_out_of_gpu_memory(error: BaseException) -> bool:
    """Whether it is the GPU's memory that ran out."""
    # torch.OutOfMemoryError, by name: this module must not import torch
    return type(error).__name__ == "OutOfMemoryError" or _says(error, GPU_TEXTS)


def is_out_of_host_memory(error: BaseException) -> bool:
    """Whether it is the machine's or the container's memory that ran out."""
    no_memory = isinstance(error, OSError) and error.errno == errno.ENOMEM
    return isinstance(error, MemoryError) or no_memory or _says(error, HOST_TEXTS)


def _says(error: BaseException, texts: tuple[str, ...]) -> bool:
    return not isinstance(error, TrainerError) and any(text in str(error) for text in texts)


def _storage_full(error: BaseException, volume: Path) -> TrainerError:
    named = getattr(error, "filename", None)
    usage = shutil.disk_usage(Path(named).parent if named and Path(named).parent.exists() else volume)
    return TrainerError(
        ExitCode.STORAGE_FULL,
        "StorageFull",
        f"the volume is full, {usage.free / GIB:.3g} of {usage.total / GIB:.3g} GiB are free: {_first_line(error)}",
        "the last complete checkpoint is whole, and the run goes on from it: give a larger volume (storage.size), "
        "lower checkpoint.keep, or ask for fewer export.formats",
    )


def _shared_gpu(error: BaseException) -> TrainerError:
    return TrainerError(
        ExitCode.TRANSIENT,
        "GPUShared",
        f"another process changed the GPU's memory while vLLM measured what is free: {_first_line(error)}",
        "the next attempt may find it at rest; give the job a GPU of its own, or start jobs that share one apart",
    )


def _out_of_gpu_memory(error: BaseException, spec: Spec | None, stage: RunStage | None) -> TrainerError:
    found = {name: re.search(pattern, str(error)) for name, pattern in SIZES.items()}
    sizes = [f"{name} {match.group(1)}" for name, match in found.items() if match] or [_first_line(error)]
    return TrainerError(
        ExitCode.OUT_OF_GPU_MEMORY,
        "OutOfGPUMemory",
        f"{_where('the GPU', stage)}: {', '.join(sizes + _device_memory())}",
        f"{_lower(spec, stage)}; lower inference.gpuMemoryUtilization if it is PyTorch that had too little, raise it "
        "if it is vLLM; model.loadIn 4bit and lora.gradientCheckpointing take least",
    )


def _out_of_host_memory(error: BaseException, spec: Spec | None, stage: RunStage | None) -> TrainerError:
    asked = re.search(r"tried to allocate (\d+) bytes", str(error))
    what = f"asked for {int(asked.group(1)) / GIB:.3g} GiB" if asked else _first_line(error) or type(error).__name__
    memory = memory_status()
    return TrainerError(
        ExitCode.OUT_OF_MEMORY,
        "OutOfMemory",
        f"{_where('the machine', stage)}: {what}; the trainer held {memory.peak_gi_b} of {memory.limit_gi_b} GiB",
        f"raise pod.resources.limits.memory, or {_lower(spec, stage)}",
    )


def _where(what: str, stage: RunStage | None) -> str:
    return f"{what} ran out of memory" + (f" in stage {stage}" if stage else "")


def _lower(spec: Spec | None, stage: RunStage | None) -> str:
    return f"lower one of these, as they are: {memory_settings(spec, stage)}" if spec else "lower the batch size"


def _device_memory() -> list[str]:
    """Return what the GPU says of itself, if PyTorch uses one."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return []
    free, total = torch.cuda.mem_get_info()
    peak = torch.cuda.max_memory_reserved()
    return [f"by now {free / GIB:.3g} of {total / GIB:.3g} GiB are free, PyTorch held {peak / GIB:.3g} GiB at most"]


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0]
