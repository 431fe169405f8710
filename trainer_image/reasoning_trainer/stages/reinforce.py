"""Step 7: reinforcement learning and preference optimisation, by TRL's own trainers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from datasets import Dataset
from transformers import Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from trl import DPOConfig, DPOTrainer, GRPOConfig, GRPOTrainer, RLOOConfig, RLOOTrainer
from trl.experimental.orpo import ORPOConfig, ORPOTrainer

from reasoning_contract.spec import PREFERENCE
from reasoning_contract.status import RunStage

from ..attempt import Attempt, Policy
from ..conversation import preference
from ..engine_cache import exclusive
from ..examples import Splits
from ..rewards import build
from ..trl_arguments import reinforce_arguments
from .evaluate import evaluate_on_the_way
from .ppo import reinforce_by_ppo
from .template import question
from .training import StageCallback, drop_reference, reuse, train

STAGE: RunStage = "reinforce"


def reinforce(attempt: Attempt, policy: Policy, splits: Splits) -> None:
    """Raise the rewards of the adapter's completions, or the preference for the chosen ones."""
    if reuse(attempt, policy, STAGE):
        return
    algorithm = attempt.spec.reinforce.algorithm
    attempt.tracker.begin(STAGE, "preparing")
    if algorithm == "PPO":
        reinforce_by_ppo(attempt, policy, splits, EvaluationCallback(attempt, policy, splits))
    else:
        make = _make_preference_trainer if algorithm in PREFERENCE else _make_reward_trainer
        train(attempt, policy, STAGE, make(attempt, policy, splits))
    drop_reference(policy)


def _make_reward_trainer(attempt: Attempt, policy: Policy, splits: Splits) -> Trainer:
    """Make the trainer of an algorithm that scores what the model writes.

    TRL copies the adapter as it is now, which is after the warm-up, as the reference that a KL term is measured from.
    """
    config, trainer = _CLASSES[attempt.spec.reinforce.algorithm]
    rewards = build(attempt.spec.rewards, attempt.spec.chat_template)
    rows = [
        {"prompt": question(attempt.spec, policy, example.prompt or ""), "answer": example.answer}
        for example in splits.train
    ]
    spec = attempt.spec
    # TRL builds vLLM's engine here; Unsloth had it beside the model
    with exclusive(attempt.say, when=spec.backend == "transformers" and spec.inference.engine == "vllm"):
        return trainer(
            model=policy.model,
            reward_funcs=list(rewards.functions),
            args=_config(attempt, policy, config, policy.backend.generation_arguments(spec)),
            train_dataset=Dataset.from_list(rows),
            processing_class=policy.tokenizer,
            callbacks=_callbacks(attempt, policy, splits, lambda: rewards.unscored),
        )


def _make_preference_trainer(attempt: Attempt, policy: Policy, splits: Splits) -> Trainer:
    config, trainer = _CLASSES[attempt.spec.reinforce.algorithm]
    template = attempt.spec.chat_template
    rows = [preference(example, template, system_role=policy.system_role) for example in splits.train]
    return trainer(
        model=policy.model,
        args=_config(attempt, policy, config, {}),
        train_dataset=Dataset.from_list(rows),
        processing_class=policy.tokenizer,
        callbacks=_callbacks(attempt, policy, splits),
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
        EvaluationCallback(attempt, policy, splits),
    ]


class EvaluationCallback(TrainerCallback):
    """Evaluates every ``evaluation.everySteps`` steps. It draws nothing from the trainer's random numbers."""

    def __init__(self, attempt: Attempt, policy: Policy, splits: Splits) -> None:
        self._attempt, self._policy, self._rows = attempt, policy, splits.held_out

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Evaluate where a step is due, but for the last one, after which the stage's own evaluation follows."""
        evaluation = self._attempt.spec.evaluation
        due = evaluation.every_steps is not None and state.global_step % evaluation.every_steps == 0
        if evaluation.enabled and due and state.global_step < state.max_steps and not control.should_training_stop:
            evaluate_on_the_way(self._attempt, self._policy, self._rows, state.global_step)
            self._policy.model.train()


_CLASSES: dict[str, tuple[type, type]] = {
    "GRPO": (GRPOConfig, GRPOTrainer),
    "GSPO": (GRPOConfig, GRPOTrainer),
    "DrGRPO": (GRPOConfig, GRPOTrainer),
    "DAPO": (GRPOConfig, GRPOTrainer),
    "RLOO": (RLOOConfig, RLOOTrainer),
    "DPO": (DPOConfig, DPOTrainer),
    "ORPO": (ORPOConfig, ORPOTrainer),
}
