"""PPO by TRL's experimental trainer, taught what it lacks: reward functions, clipped gradients, and resuming."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from datasets import Dataset
from safetensors.torch import load_file, save_file
from torch import nn
from torch.utils.data import DataLoader
from transformers import Trainer, TrainerCallback
from transformers.trainer import OPTIMIZER_NAME, SCHEDULER_NAME, TRAINER_STATE_NAME
from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR
from trl.experimental.ppo import PPOConfig, PPOTrainer
from trl.experimental.ppo.ppo_trainer import OnlineTrainerState

from reasoning_contract.exit_codes import ExitCode

from ..attempt import Attempt, Policy
from ..chat.chat import Chat
from ..data.examples import Example, Splits
from ..errors import TrainerError
from ..reporting.step_figures import SPENT
from ..rewards import RewardSet, batch_of
from ..rewards.completion import Conversation
from ..rewards.schedule import weights_at
from .order import ByStep
from .training import REFERENCE, StageCallback
from .trl_arguments import reinforce_arguments

NOTHING = -1
"""What stands in the reward model's hidden state where there is padding."""
VALUE_MODEL = "value_model.safetensors"
"""File of a checkpoint with what is trained of the value model: its adapter and its head."""


def make_ppo_trainer(
    attempt: Attempt,
    policy: Policy,
    splits: Splits,
    rewards: RewardSet,
    callbacks: Sequence[TrainerCallback],
    spent: int,
) -> ResumablePPOTrainer:
    """Make the trainer of the RL stage with PPO. The reference is a frozen copy of the adapter as it is now.

    Parameters
    ----------
    attempt
        The attempt.
    policy
        The model.
    splits
        The rows; those of train are asked.
    rewards
        The reward functions.
    callbacks
        What else hears of steps.
    spent
        Completions that were spent before.
    """
    spec = attempt.spec
    prompts = [policy.asked(row) for row in splits.train]
    rows = [policy.tokens(policy.prompt(row)) for row in splits.train]
    asked = [Asked(row, prompt) for row, prompt in zip(splits.train, prompts, strict=True)]
    scorer = RewardModel(
        policy,
        rewards,
        dict(zip(map(tuple, rows), asked, strict=True)),
        lambda: weights_at(spec.rewards, trainer.state.global_step),
    )
    policy.backend.copy_adapter(policy.model, REFERENCE)
    trainer = ResumablePPOTrainer(
        args=PPOConfig(
            output_dir=str(attempt.folder.stage("reinforce").path),
            stop_token="eos",
            num_sample_generations=0,
            local_rollout_forward_batch_size=spec.reinforce.batch_size,
            ref_adapter_name=REFERENCE,
            **reinforce_arguments(spec),
            **policy.backend.trainer_arguments(spec),
        ),
        processing_class=policy.tokenizer,
        model=policy.model,
        ref_model=None,
        reward_model=scorer,
        value_model=policy.backend.value_model(spec, policy.folder),
        train_dataset=Dataset.from_list([{"input_ids": ids} for ids in rows]),
        load_adapter=lambda folder: policy.backend.load_adapter(policy.model, folder),
        spent=spent,
        callbacks=[Callback(attempt, scorer.means, lambda: rewards.unscored), *callbacks],
    )
    _clip_gradients(trainer.optimizer, spec.reinforce.max_grad_norm)
    return trainer


def _clip_gradients(optimizer: Any, norm: float) -> None:
    """Clip before every step of the optimizer: TRL's PPO does not."""
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    inner = getattr(optimizer, "optimizer", optimizer)
    inner.register_step_pre_hook(lambda *_: nn.utils.clip_grad_norm_(parameters, norm) and None)


class ResumablePPOTrainer(PPOTrainer):
    """TRL's PPO, which goes on from a checkpoint as if it had never stopped.

    TRL's loop counts from 1 to ``args.num_total_batches`` and asks ``dataloader`` for its batches; everything it reads
    is in place before its callbacks hear of the beginning of the training, which is where the checkpoint is read.

    Parameters
    ----------
    load_adapter
        Puts the weights of a saved adapter into the policy's own.
    spent
        Completions that were spent before.
    arguments
        Of TRL's trainer.
    """

    def __init__(
        self,
        *,
        load_adapter: Callable[[Path], None],
        spent: int = 0,
        callbacks: Sequence[TrainerCallback],
        **arguments: Any,
    ) -> None:
        super().__init__(callbacks=[_Beginning(self._restore), *callbacks], **arguments)
        self._load_adapter, self._spent = load_adapter, spent
        self._checkpoint: Path | None = None
        self._order = ByStep(self.train_dataset, self.args.local_batch_size, self.args.seed)
        # with a generator of its own, because a loader draws a seed for workers that it does not have
        self.dataloader = DataLoader(
            self.train_dataset,
            batch_sampler=self._order,
            collate_fn=self.data_collator,
            generator=torch.Generator(),
        )

    def train(self, resume_from_checkpoint: str | None = None) -> None:
        """Train to the last step, from a checkpoint if one is given."""
        self._checkpoint = Path(resume_from_checkpoint) if resume_from_checkpoint else None
        super().train()

    def log(self, logs: dict[str, float], *others: Any, **named: Any) -> None:
        """Log with what was spent, by the name that trainers with groups have for it."""
        super().log(logs | {SPENT: self._spent + self.state.episode}, *others, **named)

    def _restore(self) -> None:
        if self._checkpoint is None:
            return
        before = OnlineTrainerState.load_from_json(str(self._checkpoint / TRAINER_STATE_NAME))
        self.state.global_step = self._order.start = before.global_step
        self.state.episode, self.state.log_history = before.episode, before.log_history
        self.args.num_total_batches -= before.global_step
        self._load_adapter(self._checkpoint)
        weights = load_file(self._checkpoint / VALUE_MODEL)
        with torch.no_grad():
            for name, parameter in self._trained_of_the_value_model().items():
                parameter.copy_(weights[name])
        # by hand: the Transformers trainer's own way asks for attributes that TRL's PPO does not set
        for name, part in ((OPTIMIZER_NAME, self.optimizer), (SCHEDULER_NAME, self.lr_scheduler)):
            part.load_state_dict(torch.load(self._checkpoint / name, map_location="cpu", weights_only=True))
        self._load_rng_state(str(self._checkpoint))

    def _save_checkpoint(self, model: nn.Module, trial: Any) -> None:
        Trainer._save_checkpoint(self, model, trial)  # TRL's own also writes a form of a model card
        folder = Path(self.args.output_dir) / f"{PREFIX_CHECKPOINT_DIR}-{self.state.global_step}"
        weights = {name: each.detach().contiguous() for name, each in self._trained_of_the_value_model().items()}
        save_file(weights, folder / VALUE_MODEL)

    def _trained_of_the_value_model(self) -> dict[str, nn.Parameter]:
        return {name: each for name, each in self.value_model.named_parameters() if each.requires_grad}


class _Beginning(TrainerCallback):
    """Does something at the beginning of the training, before the callbacks that come after it hear of it."""

    def __init__(self, act: Callable[[], None]) -> None:
        self._act = act

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Do it."""
        self._act()


class Callback(StageCallback):
    """Reports rewards by name, and stops after the checkpoint: TRL's loop does not look at what callbacks ask for."""

    def __init__(self, attempt: Attempt, means: Mapping[str, float], unscored: Callable[[], Mapping[str, int]]) -> None:
        super().__init__(attempt, "reinforce", attempt.folder.stage("reinforce"), unscored)
        self._means = means

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **kwargs: Any) -> None:
        """Add the means of the rewards to what TRL logs."""
        super().on_log(args, state, control, {**(logs or {}), **self._means}, **kwargs)

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Seal the checkpoint, then stop if it was made in order to stop."""
        super().on_save(args, state, control, **kwargs)
        if control.should_training_stop and state.global_step < state.max_steps:
            self.stop_if_told()


@dataclass(frozen=True)
class Asked:
    """A row, and its prompt as a conversation."""

    row: Example
    prompt: Conversation


class RewardModel(nn.Module):
    """The job's reward functions in the shape of a reward model: hidden states are tokens, and scores come from texts.

    Parameters
    ----------
    chat
        Turns completions into text.
    rewards
        The reward functions.
    asked
        Rows by the tokens of their prompts.
    weights
        Returns the weights of the step.
    """

    base_model_prefix = "backbone"

    def __init__(
        self,
        chat: Chat,
        rewards: RewardSet,
        asked: Mapping[tuple[int, ...], Asked],
        weights: Callable[[], Sequence[float]],
    ) -> None:
        super().__init__()
        self._chat, self._rewards, self._weights = chat, rewards, weights
        # without padding tokens, which may be end tokens too, as they come out of the batch
        self._asked = {
            tuple(token for token in ids if token != chat.tokenizer.pad_token_id): each for ids, each in asked.items()
        }
        self._lengths = sorted({len(ids) for ids in self._asked}, reverse=True)
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
        texts = [self._chat.text(ids) for _, ids in pairs]
        columns = self._rewards.score(
            batch_of(
                [asked.row for asked, _ in pairs],
                [asked.prompt for asked, _ in pairs],
                [[{"role": "assistant", "content": text}] for text in texts],
                [ids for _, ids in pairs],
            )
        )
        self.means.clear()
        for name, column in columns.items():
            scored = [value for value in column if value is not None]
            if scored:
                self.means[f"rewards/{name}/mean"] = sum(scored) / len(scored)
        weights = self._weights()
        return [_weigh(row, weights) for row in zip(*columns.values(), strict=True)]

    def _split(self, row: Sequence[int]) -> tuple[Asked, list[int]]:
        for length in self._lengths:
            asked = self._asked.get(tuple(row[:length]))
            if asked is not None:
                return asked, list(row[length:])
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
