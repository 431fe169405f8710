"""Takes the largest step of a stage once, by the stage's own trainer, and leaves everything as it was."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import nn
from transformers import Trainer

from reasoning_contract.spec import Spec

from ..backends.gpu_memory import MOMENTS

FLOAT_BYTES = 4


def take_step(trainer: Trainer, inputs: Mapping[str, Any], moments: int) -> None:
    """Go forward and backward, beside memory as large as the optimizer's.

    Parameters
    ----------
    trainer
        A trainer of the stage that has not trained. What is called of it draws random numbers: see `same_numbers`.
    inputs
        What its loss is computed from.
    moments
        Bytes that the optimizer will hold: it is made by the first update, after the first backward pass.
    """
    model, args = trainer.model, trainer.args
    with _left_as_it_was(model):
        if args.gradient_checkpointing:
            model.gradient_checkpointing_enable(gradient_checkpointing_kwargs=args.gradient_checkpointing_kwargs)
        model.train()
        held = torch.empty(moments, dtype=torch.uint8, device=trainer.accelerator.device)
        trainer.current_gradient_accumulation_steps = args.gradient_accumulation_steps
        with trainer.accelerator.autocast():
            loss = trainer.compute_loss(model, inputs)
        trainer.accelerator.backward(loss)
        del held


@contextmanager
def _left_as_it_was(model: Any) -> Iterator[None]:
    modes = {module: module.training for module in model.modules()}
    checkpointing = model.is_gradient_checkpointing
    try:
        yield
    finally:
        model.zero_grad(set_to_none=True)
        if model.is_gradient_checkpointing and not checkpointing:
            model.gradient_checkpointing_disable()
        for module, mode in modes.items():
            module.training = mode


@contextmanager
def same_numbers() -> Iterator[None]:
    """Draw random numbers that the rest of the run does not miss."""
    python, arrays = random.getstate(), np.random.get_state()
    try:
        with torch.random.fork_rng():
            yield
    finally:
        random.setstate(python)
        np.random.set_state(arrays)


def moment_bytes(spec: Spec, stage: str, model: nn.Module) -> int:
    """Return the bytes of the moments that a stage's optimizer keeps of what is trained."""
    optimizer = spec.warmup_optimizer if stage == "warmup" else spec.reinforce.optimizer
    trained = sum(each.numel() for each in model.parameters() if each.requires_grad)
    return round(MOMENTS[optimizer] * FLOAT_BYTES * trained)


def of_rows(trainer: Trainer) -> Mapping[str, Any]:
    """Return a batch as the trainer's own loader makes it, of a data set that is one batch."""
    batch: Mapping[str, Any] = trainer._prepare_inputs(next(iter(trainer.get_train_dataloader())))
    return batch


def of_completions(trainer: Any, prompt: Sequence[int], filler: int) -> dict[str, Any]:
    """Return a batch as TRL's trainers with groups make it of completions, which all are as long as they may be.

    Parameters
    ----------
    trainer
        The trainer.
    prompt
        Tokens of the prompt.
    filler
        Token that the completions consist of.
    """
    args, device = trainer.args, trainer.accelerator.device
    size, length = args.per_device_train_batch_size, args.max_completion_length
    prompts = torch.tensor([list(prompt)] * size, device=device)
    completions = torch.full((size, length), filler, device=device)
    nothing = torch.zeros(size, length, device=device)
    return {
        "prompt_ids": prompts,
        "prompt_mask": torch.ones_like(prompts),
        "completion_ids": completions,
        "completion_mask": torch.ones_like(completions),
        "advantages": torch.ones(size, device=device),
        "num_items_in_batch": torch.tensor(float(completions.numel()), device=device),
        "old_logps": torch.zeros(size, device=device),  # RLOO's
        "ref_per_token_logps": nothing,
    }
