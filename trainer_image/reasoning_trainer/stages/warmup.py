"""Step 4: supervised warm-up."""

from __future__ import annotations

from collections.abc import Sequence

from datasets import Dataset
from trl import SFTConfig, SFTTrainer

from reasoning_contract.outcome import ExitCode
from reasoning_contract.status import RunStage

from ..attempt import Attempt, Policy
from ..conversation import demonstrations
from ..data.examples import Example, Splits
from ..data.lengths import SEQUENCE, within_length
from ..errors import TrainerError
from ..trl_arguments import warmup_arguments
from .template import learned_tokens
from .training import StageCallback, reuse, train

STAGE: RunStage = "warmup"


def warm_up(attempt: Attempt, policy: Policy, splits: Splits) -> None:
    """Teach the adapter the format and some skill from worked rows."""
    if reuse(attempt, policy, STAGE):
        return
    attempt.interruption.check()
    folder = attempt.folder.stage(STAGE)
    attempt.tracker.begin(STAGE, "preparing")
    rows = demonstrate(attempt, policy, splits.warmup)
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


def demonstrate(attempt: Attempt, policy: Policy, examples: Sequence[Example]) -> list[dict[str, list[int]]]:
    """Return what is learned, a row for each turn of the assistant; those that do not fit are left out and counted.

    A row that was cut would teach the model to answer without an end.

    Raises
    ------
    TrainerError
        If the template hides where the assistant's turn begins, or no row fits.
    """
    spec, field = attempt.spec, "data.warmup"
    rows = []
    for number, example in enumerate(examples, 1):
        for each in demonstrations(example, spec.chat_template, system_role=policy.system_role):
            tokens = learned_tokens(spec, policy, each["prompt"], each["completion"])
            if tokens is None:
                raise _hidden(f"{field}, row {number}")
            rows.append(tokens)
    limit = spec.model.max_sequence_length
    kept, left_out = within_length(rows, lambda row: len(row["input_ids"]), limit, f"turns of {field}", SEQUENCE)
    if left_out:
        attempt.say(left_out)
    return kept


def _hidden(where: str) -> TrainerError:
    return TrainerError(
        ExitCode.MODEL_INVALID,
        "ResponseNotFound",
        f"{where}: the chat template does not show where the assistant's turn begins, so it cannot be learned alone",
        "choose a chatTemplate.family, give a chatTemplate.jinja with the instructionPart and responsePart that it "
        "writes, or set warmup.trainOnResponsesOnly: false",
    )
