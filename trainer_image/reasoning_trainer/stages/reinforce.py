"""Step 7: reinforcement learning and preference optimisation, by TRL's own trainers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from datasets import Dataset
from transformers import Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from trl import DPOConfig, DPOTrainer, GRPOConfig, GRPOTrainer, RLOOConfig, RLOOTrainer
from trl.experimental.orpo import ORPOConfig, ORPOTrainer

from reasoning_contract.report import RunStage
from reasoning_contract.spec import PREFERENCE

from ..algorithms.base_model import under_base
from ..algorithms.order import ByEpoch
from ..algorithms.ppo import make_ppo_trainer
from ..algorithms.reward_functions import ROW, reward_functions
from ..algorithms.sampling import DynamicSampling, SamplingRules
from ..algorithms.self_checks import ProbeCallback, SampleCallback
from ..algorithms.training import StageCallback, drop_reference, reuse, train
from ..algorithms.trl_arguments import (
    reinforce_arguments,
    sampling_rules,
    steps_between_checkpoints,
    steps_between_evaluations,
)
from ..algorithms.weights import WeightsCallback
from ..attempt import Attempt, Policy
from ..data.examples import Example, Splits
from ..rewards import RewardSet, Surroundings, build
from .evaluate import evaluate_on_the_way

STAGE: RunStage = "reinforce"


def reinforce(attempt: Attempt, policy: Policy, splits: Splits) -> None:
    """Raise the rewards of the adapter's completions, or the preference for the chosen ones."""
    if reuse(attempt, policy, STAGE):
        return
    attempt.interruption.check()
    attempt.tracker.begin(STAGE, "preparing")
    _tell_of_rounding(attempt)
    around = Surroundings.of(attempt.spec, attempt.inputs.locate, attempt.say, attempt.commits)
    around = replace(around, base=under_base(policy))
    with build(attempt.spec.rewards, attempt.spec.chat_template, around) as rewards:
        train(attempt, policy, STAGE, _make_trainer(attempt, policy, splits, rewards))
    drop_reference(policy)


def _tell_of_rounding(attempt: Attempt) -> None:
    spec = attempt.spec
    pairs = {
        "checkpoint.everySteps": (spec.checkpoint.every_steps, steps_between_checkpoints(spec)),
        "evaluation.everySteps": (spec.evaluation.every_steps, steps_between_evaluations(spec)),
    }
    for field, (wanted, possible) in pairs.items():
        if possible is not None and possible != wanted:
            updates = f"reinforce.updatesPerGeneration {spec.reinforce.updates_per_generation}"
            attempt.say(f"{field} {wanted} is not a multiple of {updates}: every {possible} steps")


def _make_trainer(attempt: Attempt, policy: Policy, splits: Splits, rewards: RewardSet) -> Trainer:
    algorithm = attempt.spec.reinforce.algorithm
    if algorithm == "PPO":
        return make_ppo_trainer(
            attempt, policy, splits, rewards, [EvaluationCallback(attempt, policy, splits)], _spent(attempt)
        )
    if algorithm in PREFERENCE:
        return _make_preference_trainer(attempt, policy, splits.train, _callbacks(attempt, policy, splits))
    return _make_reward_trainer(attempt, policy, splits, rewards)


def _make_reward_trainer(attempt: Attempt, policy: Policy, splits: Splits, rewards: RewardSet) -> Trainer:
    """Make the trainer of an algorithm that scores what the model writes.

    TRL copies the adapter as it is now, which is after the warm-up, as the reference that a KL term is measured from.
    """
    config, trainer = _CLASSES[attempt.spec.reinforce.algorithm]
    rows = [{"prompt": policy.asked(example), ROW: number} for number, example in enumerate(splits.train)]
    spec = attempt.spec
    samples = SampleCallback(attempt, policy, splits.train)
    with policy.backend.lending(spec, policy.folder, attempt.say):
        made = trainer(
            model=policy.model,
            reward_funcs=reward_functions(rewards, splits.train, policy.text),
            args=_config(attempt, policy, config, policy.backend.generation_arguments(spec, policy.stops)),
            train_dataset=Dataset.from_list(rows),
            processing_class=policy.tokenizer,
            callbacks=_callbacks(attempt, policy, splits, lambda: rewards.unscored),
        )
    made.sample_by(SamplingRules(**sampling_rules(spec)), _spent(attempt))
    samples.watch(made)
    made.add_callback(samples)
    made.add_callback(WeightsCallback(spec.rewards, lambda: made.reward_weights))
    return made


def _spent(attempt: Attempt) -> int:
    """Return the completions that were spent before the first step: what was measured of the rows' difficulty."""
    measured = attempt.tracker.progress().difficulty
    return measured.completions if measured else 0


def make_trial_trainer(attempt: Attempt, policy: Policy, rows: Sequence[Example]) -> Trainer:
    """Make a trainer of the algorithm for some rows, whose loss is asked for and which trains and generates nothing."""
    spec = attempt.spec
    if spec.prefers:
        return _make_preference_trainer(attempt, policy, rows, [])
    config, trainer = _CLASSES[spec.reinforce.algorithm]
    return trainer(
        model=policy.model,
        reward_funcs=[_unasked] * len(spec.rewards),
        args=_config(attempt, policy, config, {"use_vllm": False}),
        train_dataset=Dataset.from_list([{"prompt": policy.asked(row)} for row in rows]),
        processing_class=policy.tokenizer,
    )


def _unasked(**_: Any) -> list[float]:
    raise AssertionError("a trainer that generates nothing has nothing scored")


def _make_preference_trainer(
    attempt: Attempt, policy: Policy, examples: Sequence[Example], callbacks: list[TrainerCallback]
) -> Trainer:
    config, trainer = _CLASSES[attempt.spec.reinforce.algorithm]
    return trainer(
        model=policy.model,
        args=_config(attempt, policy, config, {}),
        train_dataset=Dataset.from_list([policy.pair(row) for row in examples]),
        processing_class=policy.tokenizer,
        callbacks=callbacks,
    )


def _config(attempt: Attempt, policy: Policy, config: type, more: dict[str, Any]) -> Any:
    return config(
        output_dir=str(attempt.folder.stage(STAGE).path),
        **reinforce_arguments(attempt.spec),
        **policy.backend.trainer_arguments(attempt.spec),
        **more,
    )


def _callbacks(
    attempt: Attempt, policy: Policy, splits: Splits, unscored: Callable[[], dict[str, int]] = dict
) -> list[TrainerCallback]:
    return [
        StageCallback(attempt, STAGE, attempt.folder.stage(STAGE), unscored),
        ProbeCallback(attempt, policy, STAGE, splits.train),  # after the checkpoint is sealed: it may take long
        EvaluationCallback(attempt, policy, splits),
    ]


class EvaluationCallback(TrainerCallback):
    """Evaluates every ``evaluation.everySteps`` steps. It draws nothing from the trainer's random numbers.

    A checkpoint is saved before, so that the process may be told to stop in the middle of it.
    """

    def __init__(self, attempt: Attempt, policy: Policy, splits: Splits) -> None:
        self._attempt, self._policy, self._rows = attempt, policy, splits.held_out

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Evaluate where an earlier attempt was told to stop before it could."""
        self._evaluate(state)

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Have the trainer save where an evaluation is due."""
        control.should_save = control.should_save or self._is_due(state)

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Evaluate what was saved."""
        if not control.should_training_stop:
            self._evaluate(state)

    def _is_due(self, state: TrainerState) -> bool:
        """Whether it is a step to evaluate at: the last one is not, the stage's own evaluation follows."""
        every = steps_between_evaluations(self._attempt.spec)
        return every is not None and 0 < state.global_step < state.max_steps and state.global_step % every == 0

    def _evaluate(self, state: TrainerState) -> None:
        if self._is_due(state):
            evaluate_on_the_way(self._attempt, self._policy, self._rows, state.global_step)
            self._policy.model.train()


class _OrderedByEpoch:
    """Makes a trainer of TRL go through the prompts in an order that a resumed run finds again."""

    def _get_train_sampler(self: Any, dataset: Dataset | None = None) -> ByEpoch:
        return ByEpoch(super()._get_train_sampler(dataset), self.args.seed)  # type: ignore[misc]


class _GRPOTrainer(_OrderedByEpoch, DynamicSampling, GRPOTrainer):
    pass


class _DPOTrainer(DPOTrainer):
    """Takes pairs as texts that template and all are complete, as TRL's ORPO does.

    TRL writes a prompt with its completion anew: where the template opens thoughts in a prompt and shows none in a
    conversation, that does not begin with the prompt, and TRL cuts so much from the completion.
    """

    def _prepare_dataset(self, dataset: Dataset, processing_class: Any, *others: Any, **named: Any) -> Dataset:
        def tokens(row: dict[str, str]) -> dict[str, list[int]]:
            # apart, as a model goes on from a prompt
            found = {name: processing_class(text, add_special_tokens=False) for name, text in row.items()}
            return {f"{name}_ids": each["input_ids"] for name, each in found.items()}

        return dataset.map(tokens, remove_columns=dataset.column_names)


class _RLOOTrainer(_OrderedByEpoch, DynamicSampling, RLOOTrainer):
    pass


_CLASSES: dict[str, tuple[type, type]] = {
    "GRPO": (GRPOConfig, _GRPOTrainer),
    "GSPO": (GRPOConfig, _GRPOTrainer),
    "DrGRPO": (GRPOConfig, _GRPOTrainer),
    "DAPO": (GRPOConfig, _GRPOTrainer),
    "ScaleRL": (GRPOConfig, _GRPOTrainer),
    "RLOO": (RLOOConfig, _RLOOTrainer),
    "DPO": (DPOConfig, _DPOTrainer),
    "ORPO": (ORPOConfig, ORPOTrainer),
}
