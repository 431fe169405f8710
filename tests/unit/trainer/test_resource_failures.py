"""What is said when memory or room runs out. The texts are the libraries' own."""

from __future__ import annotations

import errno
from collections import namedtuple
from pathlib import Path
from typing import Any

import pytest

from reasoning_contract.exit_codes import ExitCode
from reasoning_contract.memory_settings import memory_settings
from reasoning_contract.report import RunStage
from reasoning_contract.resolve import resolve
from reasoning_contract.spec import Spec
from reasoning_trainer import resource_failures
from reasoning_trainer.errors import TrainerError
from reasoning_trainer.reporting.memory import memory_status
from reasoning_trainer.resource_failures import resource_failure

CUDA = (
    "CUDA out of memory. Tried to allocate 2.50 GiB. GPU 0 has a total capacity of 79.10 GiB of which 1.25 GiB is free."
    " Process 71 has 77.84 GiB memory in use. Of the allocated memory 70.11 GiB is allocated by PyTorch, with 64.00 "
    "MiB allocated in private pools (e.g., CUDA Graphs), and 3.02 GiB is reserved by PyTorch but unallocated."
)
KV_CACHE = (
    "To serve at least one request with the models's max seq len (4096), (0.50 GiB KV cache is needed, which is larger "
    "than the available KV cache memory (0.12 GiB)."
)
ON_STARTUP = (
    "Free memory on device cuda:0 (30.1/79.1 GiB) on startup is less than desired GPU memory utilization "
    "(0.6, 47.5 GiB). Decrease GPU memory utilization or reduce GPU memory used by other processes."
)
CPU = (
    "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to allocate "
    "4294967296 bytes. Error code 12 (Cannot allocate memory)"
)
TORCH_SAVE = "[enforce fail at inline_container.cc:672] . unexpected pos 1088 vs 982"


class OutOfMemoryError(RuntimeError):
    """Stands for torch.OutOfMemoryError, which is known by its name: nothing here imports torch."""


ROW = {"prompt": "1", "reasoning": "-", "answer": "1"}
WARMED_UP = {"train": {"rows": [ROW]}, "warmup": {"rows": [ROW]}}


def spec(gpus: int = 1, **parts: Any) -> Spec:
    document = {
        "model": {"source": "file:///model"},
        "data": {"train": {"rows": [{"prompt": "1", "answer": "1"}]}},
        "rewards": [{"name": "format", "builtin": "format"}],
        "evaluation": {"enabled": False},
        "parallelism": {"gpusPerNode": gpus},
    }
    return resolve(Spec.model_validate(document | parts))


def failure(error: BaseException, stage: RunStage | None = "reinforce", volume: Path = Path("/")) -> TrainerError:
    found = resource_failure(error, spec(), stage, volume)
    assert found is not None
    return found


def test_gpu_memory_names_figures_and_fields() -> None:
    found = failure(OutOfMemoryError(CUDA))
    assert (found.exit_code, found.reason) == (ExitCode.OUT_OF_GPU_MEMORY, "OutOfGPUMemory")
    assert "in stage reinforce" in found.message
    for figure in ("asked for 2.50 GiB", "has 79.10 GiB", "free 1.25 GiB", "tensors 70.11 GiB", "them 3.02 GiB"):
        assert figure in found.message
    for field in (
        "reinforce.batchSize 8",
        "reinforce.maxCompletionLength 512",
        "model.maxSequenceLength 2048",
        "model.loadIn 4bit",
        "inference.gpuMemoryUtilization 0.6",
    ):
        assert field in found.hint


@pytest.mark.parametrize("text", [KV_CACHE, ON_STARTUP, "CUDA error: out of memory\nCUDA kernel errors might be"])
def test_gpu_memory_without_figures_of_pytorch_says_what_the_library_said(text: str) -> None:
    found = failure(ValueError(text), "load")
    assert found.exit_code == ExitCode.OUT_OF_GPU_MEMORY
    assert text.partition("\n")[0] in found.message
    assert "kernel errors" not in found.message


def test_another_process_on_the_gpu_while_vllm_measures_may_pass() -> None:
    text = "Error in memory profiling. Initial free memory 60.1 GiB, current free memory 61.4 GiB. This happens when "
    found = failure(AssertionError(text), "load")
    assert (found.exit_code, found.reason) == (ExitCode.TRANSIENT, "GPUShared")
    assert "a GPU of its own" in found.hint


@pytest.mark.parametrize("error", [RuntimeError(CPU), MemoryError(), OSError(errno.ENOMEM, "Cannot allocate memory")])
def test_host_memory_says_what_was_held_of_what_may_be(error: Exception) -> None:
    found = failure(error, "warmup")
    memory = memory_status()
    assert (found.exit_code, found.reason) == (ExitCode.OUT_OF_MEMORY, "OutOfMemory")
    assert f"held {memory.peak_gi_b} of {memory.limit_gi_b} GiB" in found.message
    assert "raise pod.resources.limits.memory" in found.hint
    assert "warmup.batchSize 1" in found.hint


def test_host_memory_says_what_was_asked_for() -> None:
    assert "in stage evaluate: asked for 4 GiB" in failure(RuntimeError(CPU), "evaluate").message


def test_the_cause_counts_where_a_library_wraps_it() -> None:
    wrapped = RuntimeError("cannot save")
    wrapped.__cause__ = OSError(errno.ENOSPC, "No space left on device")
    assert failure(wrapped).exit_code == ExitCode.STORAGE_FULL


def test_torch_does_not_say_that_there_is_no_room(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(resource_failures.shutil, "disk_usage", lambda path: usage(1 << 30, 1 << 30, 4096))
    found = failure(RuntimeError(TORCH_SAVE), volume=tmp_path)
    assert found.exit_code == ExitCode.STORAGE_FULL
    assert "of 1 GiB are free" in found.message
    monkeypatch.setattr(resource_failures.shutil, "disk_usage", lambda path: usage(1 << 30, 0, 1 << 30))
    assert resource_failure(RuntimeError(TORCH_SAVE), spec(), "reinforce", tmp_path) is None


@pytest.mark.parametrize("error", [ZeroDivisionError("x"), KeyError("memory"), OSError(errno.EACCES, "denied")])
def test_other_errors_are_no_lack_of_anything(error: Exception) -> None:
    assert resource_failure(error, spec(), "load", Path("/")) is None


@pytest.mark.parametrize(
    ("stage", "gpus", "parts", "named", "left_out"),
    [
        ("load", 1, {"backend": "unsloth"}, "model.loadIn 4bit", "batchSize"),
        ("load", 0, {}, "model.loadIn 16bit", "gpuMemoryUtilization"),
        ("warmup", 0, {"data": WARMED_UP, "warmup": {"batchSize": 4}}, "warmup.batchSize 4", "reinforce"),
        ("evaluate", 0, {}, "reinforce.maxCompletionLength 512", "batchSize"),
        ("reinforce", 0, {"reinforce": {"algorithm": "GSPO"}}, "reinforce.updatesPerGeneration 4", "warmup"),
        (None, 0, {"reinforce": {"batchSize": 16}}, "reinforce.batchSize 16", "updatesPerGeneration"),
    ],
)
def test_fields_that_make_a_stage_smaller(
    stage: RunStage | None, gpus: int, parts: dict[str, Any], named: str, left_out: str
) -> None:
    settings = memory_settings(spec(gpus, **parts), stage)
    assert named in settings
    assert left_out not in settings


@pytest.mark.parametrize(
    ("files", "limit"),
    [
        ({}, 8.0),
        ({"memory.max": "4294967296\n"}, 4.0),
        ({"memory.max": "max\n"}, 8.0),
        ({"memory/memory.limit_in_bytes": "2147483648\n"}, 2.0),
        ({"memory/memory.limit_in_bytes": "9223372036854771712\n"}, 8.0),
    ],
)
def test_the_limit_is_the_containers_or_the_machines(tmp_path: Path, files: dict[str, str], limit: float) -> None:
    (tmp_path / "meminfo").write_text(f"MemTotal: {8 << 20} kB\nMemFree: 1 kB\n")
    for name, text in files.items():
        path = tmp_path / "cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    memory = memory_status(tmp_path / "cgroup", tmp_path / "meminfo")
    assert memory.limit_gi_b == limit
    assert memory.peak_gi_b > 0
