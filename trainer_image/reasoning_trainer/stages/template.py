"""Step 3: how a conversation becomes text."""

from __future__ import annotations

from contextlib import suppress

from jinja2 import TemplateError

from reasoning_contract.outcome import ExitCode
from reasoning_contract.spec import ChatTemplate

from ..attempt import Attempt, Policy
from ..conversation import opening
from ..errors import TrainerError

PROBE = "a question"


def apply_template(attempt: Attempt, policy: Policy) -> None:
    """Give the tokenizer the template that the spec asks for, and find out whether it knows a system role.

    Runs before the adapter is made, because tokens of a custom template enlarge the embeddings.

    Raises
    ------
    TrainerError
        If there is no template, or it cannot write a conversation.
    """
    template = attempt.spec.chat_template
    if template.family is not None:
        policy.tokenizer = policy.backend.apply_family(policy.tokenizer, template)
    elif template.jinja is not None:
        _apply_custom(policy, template)
    elif not policy.tokenizer.chat_template:
        raise TrainerError(
            ExitCode.MODEL_INVALID,
            "ChatTemplateMissing",
            f"the tokenizer of {attempt.spec.model.source} carries no chat template",
            "set chatTemplate.family: chatml, or another family, or give chatTemplate.jinja",
        )
    policy.system_role = _knows_system_role(policy)


def _apply_custom(policy: Policy, template: ChatTemplate) -> None:
    vocabulary = policy.tokenizer.get_vocab()
    tokens = [*template.special_tokens, *([template.eos_token] if template.eos_token else [])]
    new = [token for token in dict.fromkeys(tokens) if token not in vocabulary]
    if new:
        policy.tokenizer.add_special_tokens({"additional_special_tokens": new})
        policy.model.resize_token_embeddings(len(policy.tokenizer))
        policy.new_tokens = policy.tokenizer.convert_tokens_to_ids(new)
    if template.eos_token:
        policy.tokenizer.eos_token = template.eos_token
    policy.tokenizer.chat_template = template.jinja


def _knows_system_role(policy: Policy) -> bool:
    """Try it: templates refuse a system role with an error, or leave its text out."""
    marker = "system-role-probe"
    with suppress(TemplateError):
        if marker in render(policy, opening(PROBE, marker)):
            return True
    try:
        text = render(policy, opening(PROBE, ""))
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


def render(policy: Policy, messages: list[dict[str, str]]) -> str:
    """Return the text that the model goes on from."""
    return str(policy.tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True))


def question(attempt: Attempt, policy: Policy, prompt: str) -> list[dict[str, str]]:
    """Return the conversation that a row's prompt opens."""
    return opening(prompt, attempt.spec.chat_template.system_prompt, system_role=policy.system_role)


def prompt_tokens(attempt: Attempt, policy: Policy, prompt: str) -> int:
    """Return the length of a row's prompt in tokens, template included."""
    text = render(policy, question(attempt, policy, prompt))
    return len(policy.tokenizer(text, add_special_tokens=False)["input_ids"])
