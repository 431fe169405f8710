"""The GPU image where there is no GPU: what is in it, that it writes to /tmp alone, and what it says."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.image.conftest import Answer

from reasoning_contract.exit_codes import ExitCode

pytestmark = pytest.mark.timeout(900)
LOCK = Path(__file__).parents[2] / "trainer_image/constraints-gpu.txt"
InImage = Callable[..., Answer]
IMPORTED = [
    "accelerate",
    "bitsandbytes",
    "datasets",
    "math_verify",
    "peft",
    "prometheus_client",
    "reasoning_gym",
    "rich",
    "torchao",
    "transformers",
    "triton",
    "trl",
    "vllm",
    "vllm.v1.engine.llm_engine",
    "xgrammar",
    "reasoning_trainer.stages.reinforce",
    "reasoning_trainer.stages.warmup",
    "reasoning_trainer.stages.evaluate",
    "reasoning_trainer.stages.export",
]
PREPARED = "from reasoning_trainer import environment; environment.prepare(); "
JOB = {
    "apiVersion": "reasoning-operator.io/v1alpha1",
    "kind": "ReasoningTrainingJob",
    "metadata": {"name": "nowhere"},
    "spec": {
        "model": {"source": "file:///models/none"},
        "data": {"train": {"rows": [{"prompt": "1+1", "answer": "2"}]}},
        "rewards": [{"name": "correct", "builtin": "correctness"}],
        "evaluation": {"enabled": False},
    },
}


def normal(line: str) -> str:
    name, _, version = line.partition("==")
    return f"{re.sub('[-_.]+', '-', name).lower()}=={version}"


def test_libraries_are_those_of_the_lock(in_image: InImage) -> None:
    listed = in_image("list", "--format=freeze", "--disable-pip-version-check", entrypoint="pip")
    found = {normal(line) for line in listed.stdout.split() if not line.startswith("pip==")}
    lock = {normal(line) for line in LOCK.read_text("utf-8").splitlines() if not line.startswith("#")}
    assert found == lock, listed.stderr


def test_libraries_agree_with_each_other(in_image: InImage) -> None:
    checked = in_image("check", entrypoint="pip")
    assert checked.returncode == 0, checked.stdout


def test_it_is_not_root_and_writes_to_nothing_but_tmp(in_image: InImage) -> None:
    tried = in_image(
        "-c", "id -u; touch /tmp/a && echo tmp; touch /app/a /opt/a /var/a || echo refused", entrypoint="sh"
    )
    assert tried.stdout.split() == ["65532", "tmp", "refused"]
    assert tried.stderr.count("Read-only file system") == 3


def test_everything_that_needs_no_gpu_is_imported(in_image: InImage) -> None:
    code = f"{PREPARED}import importlib; [importlib.import_module(name) for name in {IMPORTED}]; print('all')"
    imported = in_image("-c", code, entrypoint="python3")
    assert imported.stdout.endswith("all\n"), imported.stderr[-3000:]


def test_all_that_unsloth_lacks_is_a_gpu(in_image: InImage) -> None:
    imported = in_image("-c", f"{PREPARED}import unsloth", entrypoint="python3")
    assert "NotImplementedError: Unsloth cannot find any torch accelerator" in imported.stderr, imported.stderr[-3000:]


def test_triton_can_compile_its_launchers(in_image: InImage) -> None:
    source = "#include <Python.h>\nint main(void) { return PY_MAJOR_VERSION - 3; }\n"
    script = (
        'gcc -x c - $(python3 -c \'import sysconfig; print("-I" + sysconfig.get_path("include"))\') -o /tmp/a && /tmp/a'
    )
    assert in_image("-c", script, entrypoint="sh", stdin=source).returncode == 0


def test_a_job_for_a_gpu_says_that_there_is_none(in_image: InImage) -> None:
    ended = in_image("run", "/dev/stdin", "--output", "/tmp/run", stdin=json.dumps(JOB))
    assert ended.returncode == ExitCode.NOT_SUPPORTED, ended.stderr[-3000:]
    assert "GPUMissing: the job is for a GPU (parallelism.gpusPerNode), and PyTorch finds none" in ended.stdout
    assert "hint: run it on a node with an NVIDIA GPU" in ended.stdout
