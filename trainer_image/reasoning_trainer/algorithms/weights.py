"""Weights of rewards that follow the steps of a trainer of TRL."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from reasoning_contract.spec import Reward

from ..rewards.schedule import weights_at


class WeightsCallback(TrainerCallback):
    """Gives a trainer of TRL the weights of the step, before it scores what it generates for it.

    Parameters
    ----------
    rewards
        The job's rewards.
    weights
        Returns the tensor that the trainer multiplies scores with.
    """

    def __init__(self, rewards: Sequence[Reward], weights: Callable[[], Any]) -> None:
        self._rewards, self._weights = rewards, weights

    def on_step_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Write them where the trainer reads them."""
        weights = self._weights()
        weights.copy_(weights.new_tensor(weights_at(self._rewards, state.global_step)))
