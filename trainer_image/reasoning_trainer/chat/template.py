"""Step 3: how a conversation becomes text."""

from __future__ import annotations

from contextlib import suppress

from jinja2 import TemplateError

from reasoning_contract.exit_codes import ExitCode
from reasoning_contract.spec import ChatTemplate, Spec

from ..errors import TrainerError
from .chat import Chat
from .conversation import Messages, opening
from .families import apply_family, parts_of
from .responses import labels, response_start, shared

PROBE = "a question"


def apply_template(spec: Spec, chat: Chat) -> None:
    """Give the tokenizer the template that the spec asks for, and find out whether it knows a system role.

    Parameters
    ----------
    spec
        The job.
    chat
        Receives the template.

    Raises
    ------
    TrainerError
        If there is no template, or it cannot write a conversation.
    """
    template = spec.chat_template
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
    chat.system_role = _knows_system_role(chat)


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


def _knows_system_role(chat: Chat) -> bool:
    """Try it: templates refuse a system role with an error, or leave its text out."""
    marker = "system-role-probe"
    with suppress(TemplateError):
        if marker in render(chat, opening(PROBE, marker)):
            return True
    try:
        text = render(chat, opening(PROBE, ""))
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


def render(chat: Chat, messages: list[dict[str, str]]) -> str:
    """Return the text that the model goes on from."""
    return str(chat.tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True))


def question(spec: Spec, chat: Chat, prompt: str) -> list[dict[str, str]]:
    """Return the conversation that a row's prompt opens."""
    return opening(prompt, spec.chat_template.system_prompt, system_role=chat.system_role)


def prompt_tokens(spec: Spec, chat: Chat, prompt: str) -> int:
    """Return the length of a row's prompt in tokens, template included."""
    return count_tokens(chat, render(chat, question(spec, chat, prompt)))


def count_tokens(chat: Chat, text: str) -> int:
    """Return the length in tokens of a text that template and all is complete."""
    return len(_tokens(chat, text))


def continuation(spec: Spec, chat: Chat, prompt: str, completion: str) -> str:
    """Return what follows a row's rendered prompt where the assistant says the completion: it, and the turn's end.

    A prompt of a model that thinks may open the thoughts, which the conversation afterwards does not show.
    """
    messages = question(spec, chat, prompt)
    turn = {"role": "assistant", "content": completion}
    whole = _whole(chat, [*messages, turn])
    return whole[shared(whole, render(chat, messages)) :]


def learned_tokens(spec: Spec, chat: Chat, prompt: Messages, turn: Messages) -> dict[str, list[int]] | None:
    """Return a demonstration as the SFT trainers take it.

    Parameters
    ----------
    spec
        The job.
    chat
        The tokenizer.
    prompt
        The conversation before the assistant's turn.
    turn
        The assistant's turn.

    Returns
    -------
    dict or None
        ``input_ids``, and ``labels`` that leave out what is not learned; None if the template hides where the turn
        begins.
    """
    whole = _whole(chat, [*prompt, *turn])
    tokens = _tokens(chat, whole)
    if not spec.warmup.train_on_responses_only:
        return {"input_ids": tokens, "labels": list(tokens)}
    start = response_start(render(chat, prompt), whole, parts_of(spec.chat_template))
    if start is None:
        return None
    return {"input_ids": tokens, "labels": labels(tokens, _tokens(chat, whole[:start]))}


def _whole(chat: Chat, messages: Messages) -> str:
    return str(chat.tokenizer.apply_chat_template(messages, tokenize=False))


def _tokens(chat: Chat, text: str) -> list[int]:
    return list(chat.tokenizer(text, add_special_tokens=False)["input_ids"])
