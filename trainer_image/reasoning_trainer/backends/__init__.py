"""The libraries that hold the model: each behind the interface of `base`."""

from __future__ import annotations

from reasoning_contract.exit_codes import ExitCode
from reasoning_contract.spec import Spec

from ..errors import TrainerError
from .base import Backend
from .support import check

__all__ = ["check", "choose"]


def choose(spec: Spec) -> Backend:
    """Import the libraries of a resolved spec's backend and return it.

    Raises
    ------
    TrainerError
        If the job is for GPUs and there is none.
    """
    if spec.parallelism.gpus_per_node:
        find_gpu()
    if spec.backend == "unsloth":
        from .unsloth import UnslothBackend

        return UnslothBackend()
    from .transformers import TransformersBackend

    return TransformersBackend()


def find_gpu() -> int:
    """Return the memory of the GPU, bytes.

    Raises
    ------
    TrainerError
        If there is none.
    """
    import torch

    if not torch.cuda.is_available():
        raise TrainerError(
            ExitCode.NOT_SUPPORTED,
            "GPUMissing",
            "the job is for a GPU (parallelism.gpusPerNode), and PyTorch finds none",
            "run it on a node with an NVIDIA GPU and its driver, or set parallelism.gpusPerNode: 0 for the CPU",
        )
    return int(torch.cuda.get_device_properties(0).total_memory)


def gpu_uuid() -> str | None:
    """Return the name that every process has for the GPU; None without one."""
    import torch

    return str(torch.cuda.get_device_properties(0).uuid) if torch.cuda.is_available() else None
