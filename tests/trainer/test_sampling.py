"""Dynamic sampling: by a stand-in for TRL's trainer, whose rewards a test chooses, and with TRL on a tiny model."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from reasoning_contract.outcome import Outcome
from reasoning_trainer.algorithms.sampling import Asked, DynamicSampling, SamplingRules, joined, spread

Manifest = Callable[..., Path]
Train = Callable[..., Outcome]
GROUP = 2


class FakeTrainer:
    """Stands in for TRL's: it writes nothing, and rewards a row as the test says."""

    def __init__(self, rewards: dict[int, list[float]], rows: int) -> None:
        self.model = SimpleNamespace(training=True)
        self.args = SimpleNamespace(seed=1, output_dir="")
        self.state = SimpleNamespace(global_step=0)
        self.train_dataset = [{"prompt": f"p{row}", "row": row} for row in range(rows)]
        self.num_generations, self.reward_weights = GROUP, torch.tensor([1.0])
        self._metrics: dict[str, dict[str, list[float]]] = {"train": defaultdict(list)}
        self._rewards, self.asked = rewards, []

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        (Path(self.args.output_dir) / f"checkpoint-{self.state.global_step}").mkdir()

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        pass

    def _generate(self, prompts: list[str]) -> tuple[Any, ...]:
        self.asked.append([int(prompt[1:]) for prompt in prompts[::GROUP]])
        ids = [[len(self.asked), number] for number, _ in enumerate(prompts)]
        return ids, ids, None, [f"to {prompt}" for prompt in prompts], None, {}, None, []

    def _calculate_rewards(self, inputs: Any, prompts: Any, completions: Any, ids: Any) -> Tensor:
        places = {row: iter(self._rewards.get(row, [0.0, 0.0])) for row in {each["row"] for each in inputs}}
        return torch.tensor([[next(places[each["row"]])] for each in inputs])

    def _generate_and_score_completions(self, inputs: list[dict[str, Any]]) -> dict[str, Any]:
        prompts = [each["prompt"] for each in inputs]
        generated = self._generate(prompts)
        rewards = self._calculate_rewards(inputs, prompts, generated[3], generated[1])
        lengths = [[1] * (1 + number) + [0] * (8 - number) for number in range(len(inputs))]
        return {"advantages": rewards[:, 0] - 0.5, "texts": generated[3], "completion_mask": torch.tensor(lengths)}


class Sampled(DynamicSampling, FakeTrainer):
    """The stand-in with our sampler."""


def sampled(
    rewards: dict[int, list[float]], rules: SamplingRules, rows: int = 8, first: tuple[int, ...] = (0, 1, 2)
) -> tuple[Sampled, dict[str, Any]]:
    trainer = Sampled(rewards, rows)
    trainer.sample_by(rules)
    batch = [dict(trainer.train_dataset[row]) for row in first for _ in range(GROUP)]
    return trainer, trainer._generate_and_score_completions(batch)


DIFFERS = [0.0, 1.0]


def test_groups_without_spread_are_replaced_by_other_rows_in_their_places() -> None:
    trainer, output = sampled(
        {0: DIFFERS, 3: DIFFERS, 4: DIFFERS, 5: DIFFERS, 6: DIFFERS, 7: DIFFERS}, SamplingRules(2)
    )
    first, second = trainer.asked
    assert first == [0, 1, 2]
    assert len(second) == 2
    assert not {0, 1, 2} & set(second)
    assert output["texts"][::GROUP] == [f"to p{row}" for row in (0, *second)]
    metrics = trainer._metrics["train"]
    assert metrics["groups/replaced"] == [2]
    assert metrics["completions/spent"] == [(3 + 2) * GROUP]
    assert metrics["groups/sampled_zero_std"] == [2 / 5]


@pytest.mark.parametrize(("rounds", "asked"), [(0, 1), (1, 2), (3, 4)])
def test_rounds_are_bounded(rounds: int, asked: int) -> None:
    trainer, output = sampled({}, SamplingRules(rounds), rows=100)
    assert len(trainer.asked) == asked
    assert output["texts"][::GROUP] == ["to p0", "to p1", "to p2"]


def test_rows_may_run_out() -> None:
    trainer, _ = sampled({}, SamplingRules(9), rows=4)
    assert trainer.asked == [[0, 1, 2], [3]]


def test_solved_rows_are_not_asked_again() -> None:
    trainer, _ = sampled({0: [1.0, 1.0], 3: [1.0, 1.0]}, SamplingRules(retire_from=0.9, verifiable=0))
    assert trainer._metrics["train"]["rows/retired"] == [1]
    trainer.state.global_step = 1
    trainer._generate_and_score_completions([dict(trainer.train_dataset[row]) for row in (0, 0, 1, 1)])
    assert 0 not in trainer.asked[1]
    assert trainer.asked[1][1] == 1


def test_where_all_is_solved_rows_are_asked_again() -> None:
    rules = SamplingRules(3, retire_from=0.5, verifiable=0)
    trainer, _ = sampled({row: [1.0, 1.0] for row in range(4)}, rules, rows=4)
    trainer._generate_and_score_completions([dict(trainer.train_dataset[row]) for row in (0, 0)])
    assert trainer.asked[-1] == [0]


def test_a_checkpoint_holds_what_was_spent_and_which_rows_are_solved(tmp_path: Path) -> None:
    rules = SamplingRules(1, retire_from=0.9, verifiable=0)
    trainer, _ = sampled({0: [1.0, 1.0]}, rules)
    trainer.args.output_dir = str(tmp_path)
    trainer._save_checkpoint(None, None)
    later = Sampled({}, 8)
    later.sample_by(rules)
    later._load_optimizer_and_scheduler(str(tmp_path / "checkpoint-0"))
    later._generate_and_score_completions([dict(later.train_dataset[row]) for row in (1, 1)])
    spent = trainer._metrics["train"]["completions/spent"][-1]
    assert later._metrics["train"]["completions/spent"][-1] == spent + 2 * GROUP
    assert later._metrics["train"]["rows/retired"] == [1]
    earlier = Sampled({}, 8)
    earlier.sample_by(rules)
    (tmp_path / "without").mkdir()
    earlier._load_optimizer_and_scheduler(str(tmp_path / "without"))
    earlier._load_optimizer_and_scheduler(None)


def test_an_evaluation_is_left_alone() -> None:
    trainer = Sampled({}, 8)
    trainer.sample_by(SamplingRules(3))
    trainer.model.training = False
    trainer._generate_and_score_completions([dict(trainer.train_dataset[0])] * GROUP)
    assert trainer.asked == [[0]]
    assert not trainer._metrics["train"]


def test_a_mean_over_groups_that_differ_raises_their_advantages() -> None:
    _, plain = sampled({0: DIFFERS}, SamplingRules())
    trainer, raised = sampled({0: DIFFERS}, SamplingRules(leaves_out_equal=True))
    assert torch.allclose(raised["advantages"][:GROUP], 3 * plain["advantages"][:GROUP])
    trainer.loss_type = "dapo"  # a mean over tokens: (1 + 2 + 3 + 4 + 5 + 6) / (1 + 2) of them
    batch = [dict(trainer.train_dataset[row]) for row in (0, 1, 2) for _ in range(GROUP)]
    by_tokens = trainer._generate_and_score_completions(batch)
    assert torch.allclose(by_tokens["advantages"][:GROUP], 7 * plain["advantages"][:GROUP])
    _, nothing = sampled({}, SamplingRules(leaves_out_equal=True))
    assert torch.isfinite(nothing["advantages"]).all()


def test_a_mean_over_prompts_counts_tokens_of_long_completions_less() -> None:
    """Groups of 1 + 2, 3 + 4 and 5 + 6 tokens: 21 in all, of which a prompt is worth 7 whatever it has."""
    _, plain = sampled({0: DIFFERS, 1: DIFFERS}, SamplingRules())
    trainer, _ = sampled({0: DIFFERS, 1: DIFFERS}, SamplingRules(by_prompt=True))
    trainer.loss_type = "cispo"
    batch = [dict(trainer.train_dataset[row]) for row in (0, 1, 2) for _ in range(GROUP)]
    weighed = trainer._generate_and_score_completions(batch)["advantages"] / plain["advantages"]
    assert torch.allclose(weighed, torch.tensor([7 / 3, 7 / 3, 1, 1, 7 / 11, 7 / 11]))
    trainer._rules = SamplingRules(by_prompt=True, leaves_out_equal=True)
    weighed = trainer._generate_and_score_completions(batch)["advantages"] / plain["advantages"]
    assert torch.allclose(weighed[: 2 * GROUP], torch.tensor([7 / 3, 7 / 3, 1, 1]) * 3 / 2)  # two prompts are left


NAN = float("nan")


@pytest.mark.parametrize(
    ("rewards", "weights", "each", "differs"),
    [
        ([[1.0, 0.0], [0.0, 1.0]], [1.0, 1.0], False, False),  # the sum is the same
        ([[1.0, 0.0], [0.0, 1.0]], [1.0, 1.0], True, True),
        ([[1.0, 0.0], [1.0, 1.0]], [1.0, 0.0], True, False),  # what differs has no weight
        ([[NAN, NAN], [1.0, 0.0]], [1.0, 1.0], False, False),  # one that could not be scored
        ([[NAN, NAN], [NAN, NAN]], [1.0, 1.0], False, False),
        ([[0.1, 0.2], [0.3, 0.0]], [1.0, 1.0], False, False),  # rounding
    ],
)
def test_spread(rewards: list[list[float]], weights: list[float], each: bool, differs: bool) -> None:
    assert spread(torch.tensor(rewards), torch.tensor(weights), 2, each=each).tolist() == [differs]


def test_what_lies_by_completion_is_joined_and_the_rest_is_taken_from_the_first() -> None:
    def asked(name: str) -> Asked:
        return Asked([{"row": name}] * 4, ([f"{name}{n}" for n in range(4)], None, {}), torch.zeros(4, 1))

    whole = joined([asked("a"), asked("b")], [(0, 1), (1, 0)], 2)
    assert whole.generated == (["a2", "a3", "b0", "b1"], None, {})
    assert [each["row"] for each in whole.rows] == ["a", "a", "b", "b"]


@pytest.mark.parametrize("algorithm", ["GRPO", "DAPO", "RLOO"])
def test_with_trl_fewer_groups_teach_nothing_and_what_it_costs_is_counted(
    manifest: Manifest, train: Train, tmp_path: Path, algorithm: str
) -> None:
    def steps(rounds: int) -> list[dict[str, Any]]:
        run = tmp_path / f"rounds-{rounds}"
        reinforce = {"steps": 4, "numGenerations": 2, "batchSize": 8, "maxCompletionLength": 12, "learningRate": 1e-6}
        job = manifest(
            reinforce=reinforce | {"algorithm": algorithm, "resampleRounds": rounds, "retireSolved": 0.9},
            warmup={"epochs": 12, "batchSize": 4, "gradientAccumulation": 1, "learningRate": 1e-2},
            evaluation={"enabled": False},
        )
        outcome = train(job, run)
        assert outcome.exit_code == 0, outcome
        assert outcome.progress is not None
        assert outcome.progress.training is not None
        found = [json.loads(line) for line in (run / "reinforce/history.jsonl").read_text().splitlines()]
        assert outcome.progress.training.completions == found[-1]["completions/spent"]
        return found

    plain, replaced = steps(0), steps(4)
    assert plain[-1]["completions/spent"] == 4 * 8
    assert replaced[-1]["completions/spent"] > 4 * 8
    equal = [sum(step["frac_reward_zero_std"] for step in run) for run in (plain, replaced)]
    assert equal[1] < equal[0]
    assert sum(step["groups/replaced"] for step in replaced) > 0
