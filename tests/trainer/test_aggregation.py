"""How several rewards become advantages, by TRL's trainer in our hands, against a computation by hand."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import pytest

GROUP = 8
REWARDS = {
    "right": [1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, *[0.0] * GROUP, *[1.0] * GROUP],
    "brief": [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 5.0, *[1.0] * (GROUP - 1), *[1.0] * GROUP],
}
"""Of three groups: in the first both differ, in the second one does, in the third none."""
WEIGHTS = [1.0, 0.2]
"""The mean of eight rewards of 1.2 is not 1.2 in 32 bits."""
SMALL = 1e-4


def normalised(values: Sequence[float]) -> list[float]:
    """Return distances from the mean, over the standard deviation; TRL adds a little to that."""
    mean, spread = fmean(values), stdev(values)
    return [(value - mean) / (spread + SMALL) for value in values]


def groups(values: Sequence[float]) -> Iterator[Sequence[float]]:
    return (values[start : start + GROUP] for start in range(0, len(values), GROUP))


def weighted(*columns: Sequence[float]) -> list[float]:
    return [
        sum(weight * part for weight, part in zip(WEIGHTS, parts, strict=True)) for parts in zip(*columns, strict=True)
    ]


def by_hand() -> list[float]:
    """Return GDPO's advantages (arXiv:2601.05242): each reward in its group, then their sum in the batch."""
    each = [[value for group in groups(column) for value in normalised(group)] for column in REWARDS.values()]
    sums = [
        sum(weight * part for weight, part in zip(WEIGHTS, parts, strict=True)) for parts in zip(*each, strict=True)
    ]
    return normalised(sums)


def summed() -> list[float]:
    """Return today's advantages: the weighted sum in its group."""
    return [value for group in groups(weighted(*REWARDS.values())) for value in normalised(group)]


def advantages(model: Path, folder: Path, aggregation: str) -> tuple[list[float], dict[str, Any]]:
    """Return the advantages of a first step, and what was logged of it."""
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from trl import GRPOConfig

    from reasoning_trainer.algorithms.reward_functions import ROW
    from reasoning_trainer.algorithms.sampling import SamplingRules
    from reasoning_trainer.stages.reinforce import _CLASSES

    def reward(name: str) -> Any:
        def score(completions: list[str], **_: Any) -> list[float]:
            return REWARDS[name]

        score.__name__ = name
        return score

    trainer = _CLASSES["GRPO"][1](
        model=AutoModelForCausalLM.from_pretrained(model),
        reward_funcs=[reward(name) for name in REWARDS],
        args=GRPOConfig(
            output_dir=str(folder),
            per_device_train_batch_size=3 * GROUP,
            num_generations=GROUP,
            max_completion_length=4,
            max_steps=1,
            use_cpu=True,
            bf16=False,
            report_to="none",
            logging_steps=1,
            reward_weights=WEIGHTS,
            multi_objective_aggregation=aggregation,
            scale_rewards="group",
        ),
        train_dataset=Dataset.from_list([{"prompt": f"{row}+1", ROW: row} for row in range(3)]),
        processing_class=AutoTokenizer.from_pretrained(model),
        peft_config=LoraConfig(r=4, target_modules="all-linear"),
    )
    trainer.sample_by(SamplingRules())
    learned_from: list[list[float]] = []
    score = trainer._generate_and_score_completions
    trainer._generate_and_score_completions = lambda inputs: _kept(score(inputs), learned_from)
    trainer.train()
    return learned_from[0], trainer.state.log_history[0]


def _kept(output: dict[str, Any], learned_from: list[list[float]]) -> dict[str, Any]:
    learned_from.append(output["advantages"].tolist())
    return output


@pytest.mark.parametrize("aggregation", ["normalize_then_sum", "sum_then_normalize"])
def test_advantages_are_those_of_a_computation_by_hand(tiny_model: Path, tmp_path: Path, aggregation: str) -> None:
    found, logged = advantages(tiny_model, tmp_path, aggregation)
    expected = by_hand() if aggregation == "normalize_then_sum" else summed()
    assert found == pytest.approx(expected, abs=1e-3)
    assert found[2 * GROUP :] == [0.0] * GROUP
    assert logged["frac_reward_zero_std"] == pytest.approx(1 / 3)  # the guard of the learning signal goes by groups
