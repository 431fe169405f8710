"""Step 3: how a conversation becomes text."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from jinja2 import TemplateError

from reasoning_contract.exit_codes import ExitCode
from reasoning_contract.spec import ChatTemplate, Spec

from ..errors import TrainerError
from .chat import Chat
from .conversation import opening
from .families import apply_family

PROBE, MARK = "a question", "an answer"


def apply_template(spec: Spec, chat: Chat) -> None:
    """Give the tokenizer the template that the spec asks for, and find out what it writes around what is said.

    A turn ends where the template ends it: the token that it writes there becomes the tokenizer's end token, by which
    every engine stops, whatever it was before.

    Parameters
    ----------
    spec
        The job.
    chat
        Receives the template, and what is found out about it.

    Raises
    ------
    TrainerError
        If there is no template, it cannot write a conversation, or the engine cannot learn its tokens.
    """
    template = chat.template = spec.chat_template
    own_end = chat.tokenizer.eos_token_id
    if template.family is not None:
        apply_family(chat.tokenizer, template.family)
    elif template.jinja is not None:
        _apply_custom(chat, template)
    elif not chat.tokenizer.chat_template:
        raise TrainerError(
            ExitCode.MODEL_INVALID,
            "ChatTemplateMissing",
            f"the tokenizer of {spec.model.source} carries no chat template",
            "set chatTemplate.family: chatml, or another family, or give chatTemplate.jinja",
        )
    if chat.new_tokens and spec.inference.engine == "vllm":
        raise _unlearnable(chat)
    chat.system_role = _knows_system_role(chat)
    chat.opened = _opened(chat)
    chat.turn_end = _turn_end(chat)
    specials = special_tokens(chat.tokenizer)
    chat.end_token = next((token for token in chat.tokens(chat.turn_end) if token in specials), None)
    if chat.end_token is not None:
        chat.tokenizer.eos_token = specials[chat.end_token]
    chat.stops = [chat.tokenizer.eos_token_id] if chat.tokenizer.eos_token_id not in (None, own_end) else []
    tags = _tags(template)
    chat.hidden = frozenset(token for token, text in specials.items() if not any(text in tag for tag in tags))


def _apply_custom(chat: Chat, template: ChatTemplate) -> None:
    vocabulary = chat.tokenizer.get_vocab()
    tokens = [*template.special_tokens, *([template.eos_token] if template.eos_token else [])]
    new = [token for token in dict.fromkeys(tokens) if token not in vocabulary]
    if new:
        chat.tokenizer.add_special_tokens({"additional_special_tokens": new})
        chat.new_tokens = chat.tokenizer.convert_tokens_to_ids(new)
    if template.eos_token:
        chat.tokenizer.eos_token = template.eos_token
    chat.tokenizer.chat_template = template.jinja


def _unlearnable(chat: Chat) -> TrainerError:
    new = ", ".join(chat.tokenizer.convert_ids_to_tokens(chat.new_tokens))
    return TrainerError(
        ExitCode.NOT_SUPPORTED,
        "NotSupported",
        f"chatTemplate adds tokens that the tokenizer lacks ({new}), and vLLM knows nothing of what is learned of them",
        "use tokens of the model or plain text for tags, or set inference.engine: transformers",
    )


def _knows_system_role(chat: Chat) -> bool:
    """Try it: templates refuse a system role with an error, or leave its text out."""
    marker = "system-role-probe"
    with suppress(TemplateError):
        if marker in chat.render(opening(PROBE, marker)):
            return True
    try:
        text = chat.render(opening(PROBE, ""))
    except TemplateError as error:
        raise _unusable(str(error)) from None
    if PROBE not in text:
        raise _unusable("what it writes does not hold the user's message")
    return False


def _unusable(what: str) -> TrainerError:
    return TrainerError(
        ExitCode.MODEL_INVALID,
        "ChatTemplateInvalid",
        f"the chat template cannot write a conversation: {what}",
        "mend chatTemplate.jinja, or choose a chatTemplate.family",
    )


def _opened(chat: Chat) -> str:
    """Return what stands in a prompt, after the question, from the first of the job's opening tags on."""
    after = chat.render(opening(PROBE, "")).rpartition(PROBE)[2]
    starts = (chat.template.reasoning_tags.start, chat.template.answer_tags.start)
    places = [after.find(start) for start in starts if start in after]
    return after[min(places) :] if places else ""


def _turn_end(chat: Chat) -> str:
    try:
        whole = chat.write([*opening(PROBE, ""), {"role": "assistant", "content": MARK}])
    except TemplateError as error:
        raise _unusable(str(error)) from None
    if MARK not in whole:
        raise _unusable("what it writes does not hold the assistant's message")
    return whole.rpartition(MARK)[2]


def special_tokens(tokenizer: Any) -> dict[int, str]:
    """Return the special tokens of a tokenizer, by their numbers."""
    named = zip(tokenizer.all_special_ids, tokenizer.all_special_tokens, strict=True)
    added = {number: str(token) for number, token in tokenizer.added_tokens_decoder.items() if token.special}
    return added | dict(named)


def _tags(template: ChatTemplate) -> tuple[str, ...]:
    reasoning, answer = template.reasoning_tags, template.answer_tags
    return reasoning.start, reasoning.end, answer.start, answer.end
