"""Which backend an attempt takes where both could train the job. PyTorch's view of the GPU is a fake."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.shapes import SMOLLM2

from reasoning_trainer.backends.decision import decided
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


@pytest.mark.parametrize(("gib", "backend", "load_in"), [(80, "transformers", "16bit"), (6, "unsloth", "4bit")])
def test_memory_decides(tmp_path: Path, gpu: SimpleNamespace, gib: int, backend: str, load_in: str) -> None:
    gpu.gib = gib
    found = decided(job(tmp_path), NOWHERE)
    assert (found.spec.backend, found.spec.model.load_in, found.choice.backend) == (backend, load_in, backend)
    assert f"of {gib:.1f} GiB by estimate" in found.choice.reason


def test_later_attempt_keeps_the_choice_on_another_gpu(tmp_path: Path, gpu: SimpleNamespace) -> None:
    kept = tmp_path / "backend.json"
    first = decided(job(tmp_path), NOWHERE, kept)
    gpu.gib = 6
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
