"""The engine beside backend transformers, with a stand-in for vLLM: one, with the right weights, in TRL's trainers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import Dataset
from peft import PeftModel
from tests.trainer.fake_vllm import FakeLLM, FakeSamplingParams
from tests.trainer.models import make_model
from trl import GRPOConfig, GRPOTrainer, RLOOConfig, RLOOTrainer
from trl.generation import vllm_generation

from reasoning_contract.report import SelfCheck
from reasoning_contract.resolve import resolve
from reasoning_contract.spec import Spec
from reasoning_trainer.backends import vllm_engine
from reasoning_trainer.backends.base import Sampling
from reasoning_trainer.backends.hand_over import merged_weights
from reasoning_trainer.backends.transformers import TransformersBackend
from reasoning_trainer.backends.vllm_engine import VllmEngine
from reasoning_trainer.chat.chat import Chat
from reasoning_trainer.errors import TrainerError
from reasoning_trainer.evaluation.agreement import engine_agrees

GREEDY = Sampling(max_tokens=8)
PROMPTS = ["<|im_start|>user\n1+1<|im_end|>\n", "<|im_start|>user\nadd 2<|im_end|>\n"]


def spec(folder: Path, **inference: Any) -> Spec:
    return resolve(
        Spec.model_validate(
            {
                "backend": "transformers",
                "model": {"source": f"file://{folder}", "maxSequenceLength": 128},
                "data": {"train": {"rows": [{"prompt": "1", "answer": "1"}]}},
                "evaluation": {"enabled": False},
                "rewards": [{"name": "format", "builtin": "format"}],
                "lora": {"rank": 4},
                "reinforce": {"maxCompletionLength": 64},
                "parallelism": {"gpusPerNode": 1},
                "inference": inference,
            }
        )
    )


class World:
    """A backend whose vLLM is the stand-in, with a model that has been trained a little."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, **inference: Any) -> None:
        self.folder, self.spec, self.built = folder, spec(folder, **inference), 0
        self.backend = TransformersBackend()
        on_cpu = self.spec.model_copy(
            update={"parallelism": self.spec.parallelism.model_copy(update={"gpus_per_node": 0})}
        )
        base, self.tokenizer = self.backend.load(on_cpu, folder)
        self.model: PeftModel = self.backend.adapt(base, on_cpu, [])
        self.learn()
        self.llm = FakeLLM(str(folder), self.tokenizer.eos_token_id)

        def build(spec: Spec, folder: Path, config: dict[str, Any], gpu_bytes: float) -> VllmEngine:
            self.built += 1
            return VllmEngine(self.llm, sleeps=spec.inference.standby)

        monkeypatch.setattr(vllm_engine, "build", build)

    def learn(self) -> None:
        for name, weight in self.model.named_parameters():
            if "lora_" in name:
                torch.nn.init.normal_(weight, std=0.5)

    def generate(self) -> list[str]:
        with self.backend.generating(self.spec, self.model, self.folder, print):
            drawn = self.backend.generate(self.model, Chat(tokenizer=self.tokenizer), PROMPTS, GREEDY)
        return [group[0].text for group in drawn]

    def generate_by_itself(self) -> list[str]:
        drawn = TransformersBackend().generate(self.model, Chat(tokenizer=self.tokenizer), PROMPTS, GREEDY)
        return [group[0].text for group in drawn]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(autouse=True)
def vllm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VLLM_CACHE_ROOT", str(tmp_path))
    for name in ("RANK", "LOCAL_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"):
        # TRL sets them for vLLM, and what starts after that takes itself for one of several processes
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    monkeypatch.setattr("reasoning_trainer.backends.transformers.find_gpu", lambda: 80 << 30)
    monkeypatch.setattr(vllm_generation, "is_vllm_available", lambda: True)
    monkeypatch.setattr(vllm_generation, "SamplingParams", FakeSamplingParams, raising=False)
    monkeypatch.setattr(vllm_generation, "LLM", None, raising=False)  # building another one is an error


@pytest.fixture(params=[False, True], ids=["awake", "standby"])
def world(request: pytest.FixtureRequest, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    return World(folder, monkeypatch, standby=request.param)


def test_engine_generates_what_the_model_would(world: World) -> None:
    trained = world.generate()
    assert trained == world.generate_by_itself()
    with world.model.disable_adapter():
        base = world.generate()
        assert base == world.generate_by_itself()
    assert base != trained
    assert world.generate() == trained  # after the base the adapter is back
    assert (world.built, world.llm.calls.count("handed over")) == (1, 3)
    assert world.llm.asleep is world.spec.inference.standby


def test_handing_over_changes_nothing_in_the_model(world: World) -> None:
    before = {name: weight.clone() for name, weight in world.model.named_parameters()}
    world.generate()
    assert all(torch.equal(weight, before[name]) for name, weight in world.model.named_parameters())


def test_names_are_those_of_the_checkpoint(world: World) -> None:
    names = {name for name, _ in merged_weights(world.model)}
    assert names == {name for name, _ in world.llm.model.named_parameters()}


@pytest.mark.parametrize(("config", "trainer"), [(GRPOConfig, GRPOTrainer), (RLOOConfig, RLOOTrainer)])
def test_trl_trains_with_the_engine_that_evaluates(world: World, config: Any, trainer: Any, tmp_path: Path) -> None:
    world.generate()
    arguments = world.backend.generation_arguments(world.spec, [])
    asked: list[str] = []

    def longer_is_better(completions: list[Any], **columns: Any) -> list[float]:
        # in the middle of training the engine is lent out, and the evaluation has it in between
        asked.extend(world.generate())
        return [float(len(str(each))) for each in completions]

    with world.backend.lending(world.spec, world.folder, print):
        made = trainer(
            model=world.model,
            reward_funcs=longer_is_better,
            args=config(
                output_dir=str(tmp_path),
                use_cpu=True,
                bf16=False,
                report_to="none",
                max_steps=2,
                per_device_train_batch_size=4,
                num_generations=4,
                max_completion_length=6,
                learning_rate=0.05,
                **arguments,
            ),
            train_dataset=Dataset.from_list([{"prompt": prompt} for prompt in PROMPTS]),
            processing_class=world.tokenizer,
        )
    before = world.generate_by_itself()
    made.train()
    assert world.built == 1
    assert world.llm.calls.count("generated") == 1 + 2 + 2  # before, two steps, an evaluation in each
    assert asked[:2] == before
    assert world.generate() == world.generate_by_itself()


def test_an_engine_with_other_weights_is_found_out(world: World) -> None:
    prompts = [world.tokenizer(text, add_special_tokens=False)["input_ids"] for text in PROMPTS]
    sampling = Sampling(max_tokens=8, temperature=1.0)

    def look() -> SelfCheck:
        with world.backend.generating(world.spec, world.model, world.folder, print):
            engine = world.backend._in_use
            assert engine is not None
            drawn = [group[0] for group in engine.generate(prompts, sampling, [world.tokenizer.eos_token_id])]
        scored = world.backend.token_likelihoods(world.model, 0, prompts, [each.tokens for each in drawn], 1.0)
        return engine_agrees([each.log_probabilities for each in drawn], scored)

    assert look().message.startswith("the engine's and the trainer's log-probabilities are 0.000 nats")
    # it goes on with what it had
    world.llm.llm_engine.model_executor.driver_worker.model_runner.model.load_weights = lambda weights: None
    world.learn()
    with pytest.raises(TrainerError, match="nats a token apart"):
        look()


def test_quantised_weights_are_left_to_trls_own_engine(folder: Path) -> None:
    job = spec(folder)
    quantised = job.model_copy(update={"model": job.model.model_copy(update={"load_in": "4bit"})})
    assert TransformersBackend().engine(job) == "vllm"
    assert TransformersBackend().engine(quantised) == "transformers"
