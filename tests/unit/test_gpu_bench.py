"""The scripts that measure on a GPU, as far as they need none: so that they work when one is there."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.bench.gpu.cases import AT_ONCE, CASES, PARTS, Case, Machine, spec_of
from tests.bench.gpu.peak import GIB, peak
from tests.gpu.runs import merge, short_job
from tests.gpu.test_engine import EVALUATED, KINDS
from tests.gpu.test_trainer import ALGORITHMS, by_algorithm
from tests.shapes import LLAMA_8B

from reasoning_contract.resolve import resolve
from reasoning_contract.spec import Spec
from reasoning_trainer.backends.gpu_memory import estimate
from reasoning_trainer.backends.support import check


def runnable(document: dict[str, object]) -> Spec:
    spec = resolve(Spec.model_validate(document))
    check(spec)
    return spec


@pytest.mark.parametrize("on_gpu", [True, False], ids=["gpu", "rehearsal"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.part}: {case.name}")
def test_case_is_a_job_that_can_be_run(case: Case, on_gpu: bool) -> None:
    spec = runnable(spec_of(case, Machine(Path("/models"), Path("/data"), on_gpu)))
    assert spec.parallelism.gpus_per_node == on_gpu


@pytest.mark.parametrize("on_gpu", [True, False], ids=["gpu", "rehearsal"])
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_job_of_every_algorithm_can_be_run(algorithm: str, on_gpu: bool) -> None:
    assert runnable(short_job(Path("/m"), on_gpu=on_gpu, **by_algorithm(algorithm))).reinforce.steps == 20


@pytest.mark.parametrize("kind", KINDS)
def test_job_of_every_kind_of_engine_can_be_run(kind: str) -> None:
    assert runnable(short_job(Path("/m"), on_gpu=True, **(EVALUATED | KINDS[kind]))).evaluation.enabled


def test_jobs_whose_memory_is_measured_fit_on_80_gib() -> None:
    for case in CASES:
        if case.shape == "llama-8b":
            spec = runnable(spec_of(case, Machine(Path("/models"), None, on_gpu=True)))
            assert estimate(spec, LLAMA_8B, 79.6).total < 79.6, case.name


@pytest.mark.parametrize("part", PARTS)
def test_part_ends_within_a_quarter_of_an_hour_on_one_gpu(part: str) -> None:
    assert sum(case.seconds for case in CASES if case.part == part) / AT_ONCE.get(part, 1) <= 900


def test_pipeline_without_rows_says_so() -> None:
    case = next(case for case in CASES if case.part == "pipeline")
    with pytest.raises(ValueError, match="--data"):
        spec_of(case, Machine(Path("/models"), None, on_gpu=True))


def test_merge_takes_away_what_is_none() -> None:
    assert merge({"a": {"b": 1, "c": 2}, "d": 3}, {"a": {"b": None}, "d": None}) == {"a": {"c": 2}}


def event(action: str, address: int, gib: int, file: str) -> dict[str, object]:
    return {"action": action, "addr": address, "size": gib * GIB, "frames": [{"filename": file, "name": "f"}]}


def test_peak_counts_what_is_held_then_by_owner() -> None:
    events = [
        event("alloc", 1, 15, "/site/vllm/model_loader.py"),
        event("alloc", 2, 4, "/site/trl/log_softmax.py"),
        event("alloc", 3, 1, "/site/somewhere.py"),
        event("free_requested", 2, 4, ""),
        event("free_completed", 2, 4, ""),
        event("alloc", 2, 3, "/site/torch/optim/adamw.py"),
    ]
    assert peak(events) == {
        "allocated_gib": 20.0,
        "by": {"weights": 15.0, "logits and their gradients": 4.0, "other": 1.0},
    }
