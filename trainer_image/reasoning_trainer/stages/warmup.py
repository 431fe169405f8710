"""Step 4: supervised warm-up."""

from __future__ import annotations

from collections.abc import Sequence

from datasets import Dataset
from transformers import TrainerCallback
from trl import SFTConfig, SFTTrainer

from reasoning_contract.report import RunStage

from ..algorithms.self_checks import ProbeCallback
from ..algorithms.training import StageCallback, reuse, train
from ..algorithms.trl_arguments import warmup_arguments
from ..attempt import Attempt, Policy
from ..chat.demonstrations import demonstrate
from ..data.examples import Splits

STAGE: RunStage = "warmup"


def warm_up(attempt: Attempt, policy: Policy, splits: Splits) -> None:
    """Teach the adapter the format and some skill from worked rows."""
    if reuse(attempt, policy, STAGE):
        return
    attempt.interruption.check()
    folder = attempt.folder.stage(STAGE)
    attempt.tracker.begin(STAGE, "preparing")
    rows, left_out = demonstrate(attempt.spec, policy, splits.warmup)
    if left_out:
        attempt.say(left_out)
    callbacks = [
        StageCallback(attempt, STAGE, folder),
        ProbeCallback(attempt, policy, STAGE, splits.warmup),  # after the checkpoint is sealed: it may take long
    ]
    train(attempt, policy, STAGE, make_trainer(attempt, policy, rows, callbacks))


def make_trainer(
    attempt: Attempt, policy: Policy, rows: list[dict[str, list[int]]], callbacks: Sequence[TrainerCallback]
) -> SFTTrainer:
    """Make the trainer of the warm-up for rows of tokens."""
    return SFTTrainer(
        model=policy.model,
        args=SFTConfig(
            output_dir=str(attempt.folder.stage(STAGE).path),
            # TRL's own loss reads the head's weights past the adapter that new tokens are learned by
            loss_type="nll" if policy.new_tokens else None,
            **warmup_arguments(attempt.spec),
            **policy.backend.trainer_arguments(attempt.spec),
        ),
        train_dataset=Dataset.from_list(rows),
        processing_class=policy.tokenizer,
        callbacks=list(callbacks),
    )
