"""What the warm-up learns from its rows, in tokens."""

from __future__ import annotations

from collections.abc import Sequence

from reasoning_contract.exit_codes import ExitCode
from reasoning_contract.spec import Spec

from ..data.examples import Example
from ..data.lengths import SEQUENCE, within_length
from ..errors import TrainerError
from .chat import Chat, naming
from .conversation import demonstrations


def demonstrate(spec: Spec, chat: Chat, examples: Sequence[Example]) -> tuple[list[dict[str, list[int]]], str]:
    """Return what is learned, a row for each turn of the assistant; those that do not fit are left out.

    A row that was cut would teach the model to answer without an end.

    Parameters
    ----------
    spec
        The job.
    chat
        The tokenizer, with the job's template.
    examples
        Rows of the warm-up; at least one.

    Returns
    -------
    tuple
        Rows of tokens and labels, and a sentence that says how many were left out; empty if none were.

    Raises
    ------
    TrainerError
        If the template hides where the assistant's turn begins, or no row fits.
    """
    field = "data.warmup"
    rows = [tokens for example in examples for tokens in _demonstrate(spec, chat, example)]
    limit = spec.model.max_sequence_length
    return within_length(rows, lambda row: len(row["input_ids"]), limit, f"turns of {field}", SEQUENCE)


def _demonstrate(spec: Spec, chat: Chat, example: Example) -> list[dict[str, list[int]]]:
    rows, role = [], "prompt" if example.messages is None else "messages"
    for each in demonstrations(example, spec.chat_template, system_role=chat.system_role):
        with naming(example.place, role):
            tokens = chat.learn(each["prompt"], each["completion"], responses_only=spec.warmup.train_on_responses_only)
        if tokens is None:
            raise _hidden(f"{example.place.field}, row {example.place.row}")
        rows.append(tokens)
    return rows


def _hidden(where: str) -> TrainerError:
    return TrainerError(
        ExitCode.MODEL_INVALID,
        "ResponseNotFound",
        f"{where}: the chat template does not show where the assistant's turn begins, so it cannot be learned alone",
        "choose a chatTemplate.family, give a chatTemplate.jinja with the instructionPart and responsePart that it "
        "writes, or set warmup.trainOnResponsesOnly: false",
    )
