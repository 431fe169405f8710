"""Which backend an attempt takes where both could train the job. PyTorch's view of the GPU is a fake."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.manifests import TABLE
from tests.shapes import LLAMA_8B, SMOLLM2

from reasoning_contract.choice import on_backend
from reasoning_contract.resolve import resolve
from reasoning_contract.spec import Spec
from reasoning_trainer.backends.decision import by_memory, decided
from reasoning_trainer.errors import TrainerError
from reasoning_trainer.job import Inputs, Job, read_job

NOWHERE = Inputs(None, None)


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A fake of torch.cuda with one GPU whose memory the test sets, GiB."""
    card = SimpleNamespace(gib=80)
    cuda = SimpleNamespace(
        is_available=lambda: card.gib > 0,
        get_device_properties=lambda device: SimpleNamespace(total_memory=card.gib << 30),
    )
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=cuda))
    return card


def job(tmp_path: Path, **parts: Any) -> Job:
    model = tmp_path / "model"
    model.mkdir(exist_ok=True)
    (model / "config.json").write_text(json.dumps(SMOLLM2))
    spec = {
        "model": {"source": f"file://{model}"},
        "data": {"train": {"rows": [{"prompt": "1+1", "answer": "2"}]}},
        "rewards": [{"name": "correct", "builtin": "correctness"}],
        "evaluation": {"enabled": False},
    }
    path = tmp_path / "job.json"
    path.write_text(json.dumps({"kind": "ReasoningTrainingJob", "metadata": {"name": "a"}, "spec": spec | parts}))
    return read_job(path)


@pytest.mark.parametrize(("gib", "backend", "load_in"), [(80, "transformers", "16bit"), (4, "unsloth", "4bit")])
def test_memory_decides(tmp_path: Path, gpu: SimpleNamespace, gib: int, backend: str, load_in: str) -> None:
    gpu.gib = gib
    found = decided(job(tmp_path), NOWHERE)
    assert (found.spec.backend, found.spec.model.load_in, found.choice.backend) == (backend, load_in, backend)
    assert f"of {gib:.1f} GiB by estimate" in found.choice.reason


def test_later_attempt_keeps_the_choice_on_another_gpu(tmp_path: Path, gpu: SimpleNamespace) -> None:
    kept = tmp_path / "backend.json"
    first = decided(job(tmp_path), NOWHERE, kept)
    gpu.gib = 4
    later = decided(job(tmp_path), NOWHERE, kept)
    assert (later.spec, later.choice) == (first.spec, first.choice)


def test_what_is_chosen_already_asks_for_no_gpu(tmp_path: Path, gpu: SimpleNamespace) -> None:
    gpu.gib = 0
    asked = job(tmp_path, backend="unsloth")
    assert decided(asked, NOWHERE) is asked


def test_without_a_gpu_it_says_so(tmp_path: Path, gpu: SimpleNamespace) -> None:
    gpu.gib = 0
    with pytest.raises(TrainerError, match="PyTorch finds none"):
        decided(job(tmp_path), NOWHERE)


@pytest.mark.parametrize(
    ("config", "gib", "expected", "says"),
    [
        (SMOLLM2, 80, ("transformers", "16bit", "vllm", "adamw"), "of 80.0 GiB by estimate, and its steps are faster"),
        (SMOLLM2, 5, ("unsloth", "4bit", "vllm", "adamw_8bit"), "unsloth needs the least memory"),
        (SMOLLM2 | {"num_experts": 8}, 80, ("unsloth", "4bit", "vllm", "adamw_8bit"), "a mixture of experts"),
        ({}, 80, ("unsloth", "4bit", "vllm", "adamw_8bit"), "config.json has no num_hidden_layers"),
    ],
)
def test_gpu_decides_between_backends_that_can_both_run_it(
    config: dict[str, Any], gib: float, expected: tuple[str, ...], says: str
) -> None:
    given = Spec.model_validate(TABLE["good"])
    backend, reason = by_memory(given, config, gib)
    resolved = resolve(given, on_backend(given, backend, reason))
    found = (resolved.backend, resolved.model.load_in, resolved.inference.engine, resolved.reinforce.optimizer)
    assert found == expected
    assert says in reason


def test_reward_model_on_the_gpu_moves_the_choice_and_one_on_the_cpu_does_not(
    tmp_path: Path, gpu: SimpleNamespace
) -> None:
    folder = tmp_path / "reward-model"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(LLAMA_8B))

    def chosen(**model: Any) -> Job:
        rewards = [
            {"name": "correct", "builtin": "correctness"},
            {"name": "liked", "model": {"source": f"file://{folder}"} | model},
        ]
        return decided(job(tmp_path, rewards=rewards), NOWHERE)

    gpu.gib = 20
    assert chosen(device="cpu").spec.backend == "transformers"
    found = chosen(loadIn="16bit")
    assert found.spec.backend == "unsloth"
    assert "of them for reward models" in found.choice.reason


def test_reward_model_of_no_known_size_takes_what_needs_the_least(tmp_path: Path, gpu: SimpleNamespace) -> None:
    folder = tmp_path / "reward-model"
    folder.mkdir()
    found = decided(job(tmp_path, rewards=[{"name": "liked", "model": {"source": f"file://{folder}"}}]), NOWHERE)
    assert (found.spec.backend, "not known" in found.choice.reason) == ("unsloth", True)


def test_what_the_spec_asks_for_since_goes_with_the_backend_that_is_kept(tmp_path: Path, gpu: SimpleNamespace) -> None:
    kept = tmp_path / "backend.json"
    gpu.gib = 4
    first = decided(job(tmp_path), NOWHERE, kept)
    model = job(tmp_path).given.model
    later = decided(job(tmp_path, model={"source": model.source, "loadIn": "16bit"}), NOWHERE, kept)
    precisions = [each.spec.model.load_in for each in (first, later)]
    assert (precisions, later.choice.reason) == (["4bit", "16bit"], first.choice.reason)
