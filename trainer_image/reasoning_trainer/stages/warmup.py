"""Step 4: supervised warm-up."""

from __future__ import annotations

from datasets import Dataset
from trl import SFTConfig, SFTTrainer

from reasoning_contract.status import RunStage

from ..attempt import Attempt, Policy
from ..conversation import demonstrations
from ..data import Splits
from ..trl_arguments import warmup_arguments
from .training import StageCallback, reuse, train

STAGE: RunStage = "warmup"


def warm_up(attempt: Attempt, policy: Policy, splits: Splits) -> None:
    """Teach the adapter the format and some skill from worked rows."""
    if reuse(attempt, policy, STAGE):
        return
    folder = attempt.folder.stage(STAGE)
    attempt.tracker.begin(STAGE, "preparing")
    template = attempt.spec.chat_template
    rows = [
        demonstration
        for example in splits.warmup
        for demonstration in demonstrations(example, template, system_role=policy.system_role)
    ]
    trainer = SFTTrainer(
        model=policy.model,
        args=SFTConfig(
            output_dir=str(folder.path),
            **warmup_arguments(attempt.spec),
            **policy.backend.trainer_arguments(attempt.spec),
        ),
        train_dataset=Dataset.from_list(rows),
        processing_class=policy.tokenizer,
        callbacks=[StageCallback(attempt, STAGE, folder)],
    )
    train(attempt, policy, STAGE, trainer)
