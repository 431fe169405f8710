"""PPO by TRL's experimental trainer, which knows reward models but no reward functions, and no resuming."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import torch
from datasets import Dataset
from torch import nn
from transformers import PrinterCallback, TrainerCallback
from trl.experimental.ppo import PPOConfig, PPOTrainer

from reasoning_contract.outcome import ExitCode
from reasoning_contract.status import RunStage

from ..attempt import Attempt, Policy
from ..errors import TrainerError
from ..examples import Example, Splits
from ..rewards import RewardSet, build
from ..trl_arguments import reinforce_arguments
from .template import question, render
from .training import REFERENCE, StageCallback, finish

STAGE: RunStage = "reinforce"
NOTHING = -1
"""What stands in the reward model's hidden state where there is padding."""


def reinforce_by_ppo(attempt: Attempt, policy: Policy, splits: Splits, callback: TrainerCallback) -> None:
    """Run the RL stage with PPO.

    The reference is a frozen copy of the adapter as it is now. TRL's PPO does not resume: an interrupted stage begins
    again.
    """
    folder = attempt.folder.stage(STAGE)
    rows = [tokens_of(policy, render(policy, question(attempt.spec, policy, row.prompt or ""))) for row in splits.train]
    rewards = build(attempt.spec.rewards, attempt.spec.chat_template)
    scorer = RewardModel(policy.tokenizer, rewards, dict(zip(map(tuple, rows), splits.train, strict=True)))
    policy.backend.copy_adapter(policy.model, REFERENCE)
    trainer = PPOTrainer(
        args=PPOConfig(
            output_dir=str(folder.path),
            stop_token="eos",
            num_sample_generations=0,
            local_rollout_forward_batch_size=attempt.spec.reinforce.batch_size,
            ref_adapter_name=REFERENCE,
            **reinforce_arguments(attempt.spec) | {"save_strategy": "no"},
            **policy.backend.trainer_arguments(attempt.spec),
        ),
        processing_class=policy.tokenizer,
        model=policy.model,
        ref_model=None,
        reward_model=scorer,
        value_model=policy.backend.value_model(attempt.spec, policy.folder),
        train_dataset=Dataset.from_list([{"input_ids": ids} for ids in rows]),
        callbacks=[Callback(attempt, scorer.means, lambda: rewards.unscored), callback],
    )
    trainer.remove_callback(PrinterCallback)
    _clip_gradients(trainer.optimizer, attempt.spec.reinforce.max_grad_norm)
    trainer.train()
    finish(attempt, policy, STAGE, trainer.state)


def tokens_of(policy: Policy, text: str) -> list[int]:
    """Return the tokens of a text that template and all is complete."""
    return list(policy.tokenizer(text, add_special_tokens=False)["input_ids"])


def _clip_gradients(optimizer: Any, norm: float) -> None:
    """Clip before every step of the optimizer: TRL's PPO does not."""
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    inner = getattr(optimizer, "optimizer", optimizer)
    inner.register_step_pre_hook(lambda *_: nn.utils.clip_grad_norm_(parameters, norm) and None)


class Callback(StageCallback):
    """Reports rewards by name, and stops at once when told to: there is no checkpoint to wait for."""

    def __init__(self, attempt: Attempt, means: Mapping[str, float], unscored: Callable[[], Mapping[str, int]]) -> None:
        super().__init__(attempt, STAGE, attempt.folder.stage(STAGE), unscored)
        self._means = means

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **kwargs: Any) -> None:
        """Add the means of the rewards to what TRL logs."""
        super().on_log(args, state, control, {**(logs or {}), **self._means}, **kwargs)

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Count the step, or stop."""
        super().on_step_end(args, state, control, **kwargs)
        control.should_save = False
        self.stop_if_told()


class RewardModel(nn.Module):
    """The job's reward functions in the shape of a reward model: hidden states are tokens, and scores come from texts.

    Parameters
    ----------
    tokenizer
        Turns completions into text.
    rewards
        The reward functions.
    examples
        Rows by the tokens of their prompts.
    """

    base_model_prefix = "backbone"

    def __init__(self, tokenizer: Any, rewards: RewardSet, examples: Mapping[tuple[int, ...], Example]) -> None:
        super().__init__()
        self._tokenizer, self._rewards = tokenizer, rewards
        # without padding tokens, which may be end tokens too, as they come out of the batch
        self._examples = {
            tuple(token for token in ids if token != tokenizer.pad_token_id): row for ids, row in examples.items()
        }
        self._lengths = sorted({len(ids) for ids in self._examples}, reverse=True)
        self.means: dict[str, float] = {}

    def backbone(self, input_ids: torch.Tensor, attention_mask: torch.Tensor, **_: Any) -> SimpleNamespace:
        """Hand the tokens on, batch x length x 1."""
        tokens = torch.where(attention_mask.bool(), input_ids, NOTHING)
        return SimpleNamespace(hidden_states=(tokens.unsqueeze(-1),))

    def score(self, hidden: torch.Tensor) -> torch.Tensor:
        """Return each row's score at every position, batch x length x 1: TRL picks the one at the row's end."""
        rows = [[token for token in row if token != NOTHING] for row in hidden[..., 0].tolist()]
        scores = torch.tensor(self._scores(rows), device=hidden.device)
        return scores[:, None, None].expand(*hidden.shape).clone()

    def _scores(self, rows: Sequence[Sequence[int]]) -> list[float]:
        pairs = [self._split(row) for row in rows]
        examples = [example for example, _ in pairs]
        completions = [self._tokenizer.decode(ids, skip_special_tokens=True) for _, ids in pairs]
        columns = {
            function.__name__: function(
                prompts=[example.prompt or "" for example in examples],
                completions=completions,
                completion_ids=[ids for _, ids in pairs],
                answer=[example.answer for example in examples],
            )
            for function in self._rewards.functions
        }
        self.means.clear()
        for name, column in columns.items():
            scored = [value for value in column if value is not None]
            if scored:
                self.means[f"rewards/{name}/mean"] = sum(scored) / len(scored)
        return [_weigh(row, self._rewards.weights) for row in zip(*columns.values(), strict=True)]

    def _split(self, row: Sequence[int]) -> tuple[Example, list[int]]:
        for length in self._lengths:
            example = self._examples.get(tuple(row[:length]))
            if example is not None:
                return example, list(row[length:])
        raise AssertionError("a completion belongs to a row of data.train")


def _weigh(values: Sequence[float | None], weights: Sequence[float]) -> float:
    """Return the weighted sum of the rewards that could score a completion."""
    scored = [weight * value for value, weight in zip(values, weights, strict=True) if value is not None]
    if not scored:
        raise TrainerError(
            ExitCode.REWARD_FAILED,
            "CompletionUnscored",
            "no reward could score a completion, and PPO needs a score for each",
            "add a reward that scores every completion, such as format, or use GRPO",
        )
    return sum(scored)
