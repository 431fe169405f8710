"""Reward models, as far as they need no library: files that are refused, batches, and what is no number."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from reasoning_contract.exit_codes import ExitCode
from reasoning_contract.spec import ModelReward, Unscored
from reasoning_trainer.errors import TrainerError
from reasoning_trainer.rewards import Batch
from reasoning_trainer.rewards.failures import Failures
from reasoning_trainer.rewards.model import ModelScorer

GOOD = {"architectures": ["LlamaForSequenceClassification"], "id2label": {"0": "LABEL_0"}}


def files(folder: Path, config: Any, *names: str) -> Path:
    (folder / "config.json").write_text(config if isinstance(config, str) else json.dumps(config))
    for name in names:
        (folder / name).touch()
    return folder


class FakeClassifier:
    """Scores a completion by the number that it is, and remembers what it read at a time."""

    def __init__(self) -> None:
        self.read: list[list[str]] = []

    def score(self, pairs: list[Any]) -> list[float]:
        self.read.append([completion for _, completion in pairs])
        return [float(completion) for _, completion in pairs]


def scorer(model: FakeClassifier, told: list[str], loaded: list[str], folder: Path = Path()) -> ModelScorer:
    settings = ModelReward(source="hf://a/b", batch_size=2)

    def load(name: str, folder: Path, settings: ModelReward, device: str) -> FakeClassifier:
        loaded.append(device)
        return model

    failures = Failures("mine", Unscored(window_batches=2), told.append)
    return ModelScorer("mine", settings, lambda: folder, "cpu", failures, load)


def test_batches_are_of_like_lengths_and_scores_keep_their_places() -> None:
    model, loaded = FakeClassifier(), list[str]()
    mine = scorer(model, [], loaded)
    assert mine.score(Batch(["q"] * 5, ["1", "22", "3", "4444", "555"]), math.inf) == [1.0, 22.0, 3.0, 4444.0, 555.0]
    assert model.read == [["4444", "555"], ["22", "1"], ["3"]]
    mine.score(Batch(["q"], ["1"]), math.inf)
    assert loaded == ["cpu"]


def test_what_is_no_number_is_unscored_and_ends_a_run_of_them() -> None:
    told: list[str] = []
    mine = scorer(FakeClassifier(), told, [])
    assert mine.score(Batch(["q"] * 2, ["nan", "1"]), math.inf) == [None, 1.0]
    assert "1 of 2 completions no number" in told[0]
    with pytest.raises(TrainerError) as caught:
        mine.score(Batch(["q"] * 2, ["inf", "nan"]), math.inf)
    assert caught.value.exit_code == ExitCode.REWARD_FAILED


def test_what_the_deadline_leaves_over_is_unscored() -> None:
    assert scorer(FakeClassifier(), [], []).score(Batch(["q"] * 3, ["333", "22", "1"]), 0.0) == [333.0, 22.0, None]


@pytest.mark.parametrize(
    ("config", "names", "what"),
    [
        ({"architectures": ["LlamaForCausalLM"]}, ["model.safetensors"], "it is a LlamaForCausalLM"),
        ({}, ["model.safetensors"], "a model of no kind"),
        ("{", ["model.safetensors"], "config.json cannot be read"),
        ("[]", ["model.safetensors"], "is no object"),
        (GOOD | {"id2label": {"0": "a", "1": "b"}}, ["model.safetensors"], "has 2 scores"),
        ({"architectures": GOOD["architectures"]}, ["model.safetensors"], "has 2 scores"),
        (GOOD, ["pytorch_model.bin"], r"no weights in \*.safetensors"),
    ],
)
def test_other_models_are_refused_before_weights_are_read(
    tmp_path: Path, config: Any, names: list[str], what: str
) -> None:
    loaded: list[str] = []
    with pytest.raises(TrainerError, match=what) as caught:
        scorer(FakeClassifier(), [], loaded, files(tmp_path, config, *names)).start()
    assert (caught.value.exit_code, loaded) == (ExitCode.MODEL_INVALID, [])
    assert "rewards.mine.model" in caught.value.message


def test_reward_model_is_taken_and_not_loaded_yet(tmp_path: Path) -> None:
    loaded: list[str] = []
    scorer(FakeClassifier(), [], loaded, files(tmp_path, GOOD, "model-00001-of-00002.safetensors")).start()
    assert loaded == []
