"""Reward models of Transformers on the CPU, in every precision."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from hack.algorithms import make_parity
from transformers import LlamaConfig, LlamaForSequenceClassification

from reasoning_contract.spec import ChatTemplate, ModelReward, Reward
from reasoning_trainer.errors import TrainerError
from reasoning_trainer.rewards import Batch, build
from reasoning_trainer.rewards.model.classifier import SequenceClassifier

PROMPT = [{"role": "user", "content": "7"}]
COMPLETIONS = [[{"role": "assistant", "content": text}] for text in ("odd", "even, as far as I can see", "")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model whose scores are far apart, though nobody has taught it."""
    path = tmp_path_factory.mktemp("reward-model")
    torch.manual_seed(0)
    tokenizer = make_parity.make_tokenizer()
    model = make_parity.make_reward_model(tokenizer)
    torch.nn.init.normal_(model.score.weight)
    make_parity.write_model(path, model, tokenizer)
    return path


def settings(folder: Path, **given: Any) -> ModelReward:
    return ModelReward.model_validate({"source": f"file://{folder}", "loadIn": "16bit"} | given)


def expected(folder: Path, texts: list[str]) -> list[float]:
    """What the model gives each text by itself, by Transformers alone."""
    tokenizer = make_parity.make_tokenizer()
    model = LlamaForSequenceClassification.from_pretrained(folder).eval()
    with torch.no_grad():
        return [
            model(**tokenizer(text, return_tensors="pt", return_token_type_ids=False)).logits.item() for text in texts
        ]


def written(completion: list[dict[str, str]]) -> str:
    return f"<|im_start|>user\n7<|im_end|>\n<|im_start|>assistant\n{completion[0]['content']}<|im_end|>\n"


def test_scores_are_those_of_each_text_alone_in_the_models_own_template(folder: Path) -> None:
    reward = Reward(name="mine", model=settings(folder, batchSize=2))
    with build([reward], ChatTemplate()) as rewards:
        rewards.start()
        scores = rewards.functions[0].score(Batch([PROMPT] * 3, COMPLETIONS))
    assert scores == pytest.approx(expected(folder, [written(each) for each in COMPLETIONS]), abs=1e-4)


@pytest.mark.parametrize(("load_in", "error"), [("8bit", 0.05), ("4bit", 0.5)])
def test_quantised_weights_give_nearly_the_same(folder: Path, load_in: str, error: float) -> None:
    pairs: list[Any] = [(PROMPT, each) for each in COMPLETIONS]
    whole = SequenceClassifier("mine", folder, settings(folder), "cpu").score(pairs)
    fewer = SequenceClassifier("mine", folder, settings(folder, loadIn=load_in), "cpu").score(pairs)
    assert fewer != whole
    assert fewer == pytest.approx(whole, abs=error * max(map(abs, whole)))


def test_of_what_is_too_long_the_end_is_read(folder: Path) -> None:
    model = SequenceClassifier("mine", folder, settings(folder, maxLength=16), "cpu")
    tokenizer = make_parity.make_tokenizer()
    long = f"{'7 ' * 50}\nodd"
    end = tokenizer.decode(tokenizer(long)["input_ids"][-16:])
    assert model.score([("7 " * 50, "odd")]) == pytest.approx(expected(folder, [end]), abs=1e-4)


def test_loading_draws_no_random_numbers_of_the_training(folder: Path) -> None:
    torch.manual_seed(3)
    before = torch.get_rng_state()
    SequenceClassifier("mine", folder, settings(folder), "cpu")
    assert torch.equal(torch.get_rng_state(), before)


def test_model_without_its_head_is_refused(folder: Path, tmp_path: Path) -> None:
    tokenizer = make_parity.make_tokenizer()
    model = make_parity.make_model(tokenizer)
    make_parity.write_model(tmp_path, model, tokenizer)
    config = LlamaConfig.from_pretrained(folder)
    config.architectures = ["LlamaForSequenceClassification"]
    config.save_pretrained(tmp_path)
    with pytest.raises(TrainerError, match=r"lack the weights score.weight"):
        SequenceClassifier("mine", tmp_path, settings(tmp_path), "cpu")
