"""The estimate of GPU memory against what was measured by hand on an H100 80GB, and against counts that need no GPU."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from tests.shapes import LLAMA_8B

from reasoning_contract.resolve import resolve
from reasoning_contract.spec import ModelReward, Spec
from reasoning_trainer.backends.gpu_memory import (
    GIB,
    Shape,
    UnknownShapeError,
    engine_cache_bytes,
    estimate,
    fits,
    least_gpu_gib,
)
from reasoning_trainer.backends.reward_memory import reward_model_gib, reward_models_gib

SHAPE = Shape.read(LLAMA_8B)
UNDER, OVER = 0.05, 0.15
"""How far an estimate may lie under what was measured, which ends in a job that does not fit, and over it."""
ROW = {"prompt": "a", "reasoning": "-", "answer": "b"}


def spec(**parts: Any) -> Spec:
    """A job in the shape of the measured ones: GRPO, one group of 8 a step, 480 + 1024 tokens, LoRA of rank 32."""
    reinforce = {
        "numGenerations": 8,
        "batchSize": 8,
        "maxPromptLength": 480,
        "maxCompletionLength": 1024,
        "optimizer": "adamw_8bit",
    }
    base = {
        "backend": "transformers",
        "lora": {"rank": 32} | parts.pop("lora", {}),
        "model": {"source": "file:///m", "maxSequenceLength": 1536} | parts.pop("model", {}),
        "data": {"train": {"rows": [ROW]}},
        "evaluation": {"enabled": False},
        "rewards": [{"name": "correct", "builtin": "correctness"}],
        "reinforce": reinforce | parts.pop("reinforce", {}),
    }
    return resolve(Spec.model_validate(base | parts))


def one_completion(batch: int) -> dict[str, Any]:
    """TRL scores micro-batches of this many sequences; the spec's rule wants whole groups."""
    return {"batchSize": batch, "gradientAccumulation": 8 // batch}


@dataclass(frozen=True)
class Measured:
    """A run by hand with TRL and vLLM: peak of PyTorch's allocator, GiB, and what of the spec it was run with."""

    name: str
    gib: float
    checkpointing: str
    batch: int


RUNS = [
    Measured("no checkpointing, micro-batch 1", 45.6, "none", 1),
    Measured("no checkpointing, micro-batch 2", 57.6, "none", 2),
    Measured("checkpointing, micro-batch 8", 53.6, "standard", 8),
]


def training_gib(run: Measured) -> float:
    """The estimate for PyTorch's allocator without the engine, whose share of memory the record does not tell."""
    job = spec(lora={"gradientCheckpointing": run.checkpointing}, reinforce=one_completion(run.batch))
    found = estimate(job, LLAMA_8B, 80)
    return found.trainer - found.context


@pytest.mark.parametrize("run", RUNS[1:], ids=lambda run: run.name)
def test_estimate_meets_what_was_measured(run: Measured) -> None:
    """The first run tells the engine's share, which was the same in all three; the others are the test."""
    engine = RUNS[0].gib - training_gib(RUNS[0])
    assert -UNDER <= (training_gib(run) + engine) / run.gib - 1 <= OVER


H100_GIB = 79.2


def test_estimate_meets_the_lone_run_of_the_benchmark() -> None:
    """The whole card's peak of tests/bench/gpu's memory-1.5k on backend transformers, 26 November 2026."""
    job = spec(
        model={"loadIn": "16bit", "maxSequenceLength": 1504},
        lora={"gradientCheckpointing": "standard"},
        inference={"gpuMemoryUtilization": 0.26},
    )
    assert -UNDER <= estimate(job, LLAMA_8B, H100_GIB).total / 49.83 - 1 <= 0.1


def test_engines_share_that_the_first_run_tells_is_the_weights_and_a_small_cache() -> None:
    weights = estimate(spec(), LLAMA_8B).weights
    assert 0 < RUNS[0].gib - training_gib(RUNS[0]) - weights < 4


def test_weights_of_llama_8b() -> None:
    shape = Shape.read(LLAMA_8B)
    assert shape.linear + shape.embeddings == pytest.approx(8.03e9, rel=0.001)
    assert estimate(spec(), LLAMA_8B).weights == pytest.approx(8.03e9 * 2 / GIB, rel=0.001)


@pytest.mark.parametrize(
    ("backend", "load_in", "gib"), [("transformers", "4bit", 5.6), ("unsloth", "4bit", 5.3), ("unsloth", "fp8", 8.5)]
)
def test_quantised_weights_leave_embeddings_in_16_bits(backend: str, load_in: str, gib: float) -> None:
    found = estimate(spec(backend=backend, model={"loadIn": load_in}), LLAMA_8B)
    assert found.weights == pytest.approx(gib, abs=0.1)


def test_shape_is_read_where_a_model_of_text_and_images_has_it() -> None:
    nested = {"text_config": LLAMA_8B, "vision_config": {"hidden_size": 1}}
    assert Shape.read(nested) == Shape.read(LLAMA_8B)


@pytest.mark.parametrize(
    ("config", "says"),
    [({"hidden_size": 8}, "num_hidden_layers"), (LLAMA_8B | {"num_local_experts": 8}, "mixture of experts")],
)
def test_what_cannot_be_estimated_is_said(config: dict[str, Any], says: str) -> None:
    with pytest.raises(UnknownShapeError, match=says):
        estimate(spec(), config)


@pytest.mark.parametrize(
    "bigger",
    [
        {"reinforce": {"batchSize": 16}},
        {"reinforce": {"maxCompletionLength": 1056}},
        {"lora": {"rank": 64}},
        {"lora": {"gradientCheckpointing": "none"}},
        {"reinforce": {"optimizer": "adamw"}},
        {
            "warmup": {"optimizer": "adamw", "batchSize": 1},
            "data": {"train": {"rows": [ROW]}, "warmup": {"rows": [ROW]}},
        },
        {"reinforce": {"beta": 0.1}},
        {"model": {"loadIn": "16bit", "maxSequenceLength": 4096}, "reinforce": {"maxPromptLength": 3000}},
    ],
    ids=str,
)
def test_what_asks_for_more_takes_more(bigger: dict[str, Any]) -> None:
    assert estimate(spec(**bigger), LLAMA_8B, 80).total > estimate(spec(), LLAMA_8B, 80).total


def test_vllms_share_of_the_card_counts_beside_the_trainer() -> None:
    """Where TRL starts vLLM, which is told nothing of the job: beside quantised weights."""
    job = spec(model={"loadIn": "4bit"}, inference={"gpuMemoryUtilization": 0.5})
    assert estimate(job, LLAMA_8B, 80).engine == pytest.approx(40)
    assert estimate(job, LLAMA_8B).engine < 25


def test_vllm_takes_of_its_share_what_the_completions_of_a_step_need() -> None:
    job = spec(inference={"gpuMemoryUtilization": 0.5})
    few, many = (estimate(spec(reinforce={"gradientAccumulation": n}), LLAMA_8B, 80).engine for n in (1, 4))
    assert estimate(job, LLAMA_8B, 80).engine == few < many < 40
    a_sequence = (1536 + 16) * SHAPE.cache_bytes(16)
    assert engine_cache_bytes(job, SHAPE, 80 * GIB) == 8 * a_sequence
    assert engine_cache_bytes(job, SHAPE, 10 * GIB) == a_sequence  # it starts if one fits; if not, vLLM says so


def test_unsloth_and_vllm_share_the_weights() -> None:
    quantised = {"backend": "unsloth", "model": {"loadIn": "4bit"}}
    few = estimate(spec(**quantised, inference={"gpuMemoryUtilization": 0.5}), LLAMA_8B, 80)
    cache = 8 * (1536 + 16) * SHAPE.cache_bytes(16) / GIB
    assert cache < few.engine < cache + 1
    all_of_its_share = spec(**quantised, inference={"gpuMemoryUtilization": 0.1}, reinforce={"gradientAccumulation": 4})
    found = estimate(all_of_its_share, LLAMA_8B, 80)
    assert found.weights + found.engine == pytest.approx(8)


def test_unsloth_computes_logits_anew_for_so_many_tokens_at_once() -> None:
    one, two = (estimate(spec(backend="unsloth", reinforce=one_completion(n)), LLAMA_8B, 80).work for n in (4, 8))
    assert one == two == pytest.approx(1024 * 128256 * 22 / GIB)


@pytest.mark.parametrize(
    ("share", "gib", "runs"),
    [
        (0.4, 80, True),
        (0.6, 50, False),  # what vLLM takes leaves too little for the trainer
        (0.15, 80, False),  # vLLM's share does not hold its weights
        (0.4, 40, False),
    ],
)
def test_a_job_fits_if_both_have_room(share: float, gib: float, runs: bool) -> None:
    assert fits(spec(inference={"gpuMemoryUtilization": share}), LLAMA_8B, gib) is runs


@pytest.mark.parametrize("backend", ["transformers", "unsloth"])
@pytest.mark.parametrize("share", [0.2, 0.6])
def test_smallest_gpu_is_the_least_on_which_it_fits(backend: str, share: float) -> None:
    job = spec(backend=backend, inference={"gpuMemoryUtilization": share})
    gib = least_gpu_gib(job, LLAMA_8B)
    assert fits(job, LLAMA_8B, gib + 0.01)
    assert not fits(job, LLAMA_8B, gib - 0.01)


def test_breakdown_reads_well() -> None:
    text = str(estimate(spec(), LLAMA_8B, 80))
    assert text.startswith(f"{estimate(spec(), LLAMA_8B, 80).total:.1f} GiB: weights 15.0, adapter 0.6")


@pytest.mark.parametrize(("load_in", "gib"), [("16bit", 15.0), ("8bit", 8.0), ("4bit", 5.2)])
def test_reward_model_takes_its_weights_and_a_layer_of_a_batch(load_in: str, gib: float) -> None:
    model = ModelReward(source="hf://a/b", load_in=load_in, batch_size=1, max_length=16)
    assert reward_model_gib(model, LLAMA_8B) == pytest.approx(gib, abs=1.2)
    longer = model.model_copy(update={"batch_size": 8, "max_length": 4096})
    assert 2 < reward_model_gib(longer, LLAMA_8B) - reward_model_gib(model, LLAMA_8B) < 8


def with_reward_model(**model: Any) -> Spec:
    return spec(rewards=[{"name": "liked", "model": {"source": "hf://a/b", "loadIn": "16bit"} | model}])


def test_reward_model_on_the_gpu_is_part_of_the_estimate() -> None:
    job = with_reward_model()
    gib = reward_models_gib(job, {"liked": LLAMA_8B})
    assert gib > 14
    with_it, without = (estimate(job, LLAMA_8B, 80, each) for each in (gib, 0.0))
    assert with_it.total - without.total == pytest.approx(gib)
    assert f", rewards {gib:.1f}, context" in str(with_it)
    assert "rewards" not in str(without)
    least = least_gpu_gib(job, LLAMA_8B, gib)
    assert least > least_gpu_gib(job, LLAMA_8B) + gib - 0.1
    assert fits(job, LLAMA_8B, least + 0.01, gib)
    assert not fits(job, LLAMA_8B, least - 0.01, gib)


def test_reward_model_on_the_cpu_takes_nothing_of_the_gpu() -> None:
    assert reward_models_gib(with_reward_model(device="cpu"), {}) == 0.0
    with pytest.raises(UnknownShapeError, match="reward liked"):
        reward_models_gib(with_reward_model(), {})
