"""Turns rows into conversations, as TRL and the chat templates take them."""

from __future__ import annotations

from collections.abc import Sequence

from reasoning_contract.spec import ChatTemplate

from ..data.examples import Example

Messages = list[dict[str, str]]


def opening(question: str, system_prompt: str, *, system_role: bool = True) -> Messages:
    """Return the messages that the model answers to.

    Parameters
    ----------
    question
        The prompt of a row.
    system_prompt
        What the model is told to do; empty for nothing.
    system_role
        Whether the template knows a system role; else the system prompt opens the user's turn.
    """
    if system_prompt and not system_role:
        return [{"role": "user", "content": f"{system_prompt}\n\n{question}"}]
    system = [{"role": "system", "content": system_prompt}] if system_prompt else []
    return [*system, {"role": "user", "content": question}]


def asked(row: Example, template: ChatTemplate, *, system_role: bool = True) -> Messages:
    """Return the conversation that a row opens: with its own system text, or the job's."""
    system = template.system_prompt if row.system is None else row.system
    return opening(row.prompt or "", system, system_role=system_role)


def worked_answer(example: Example, template: ChatTemplate) -> str:
    """Return reasoning and answer of a row in their tags."""
    reasoning, answer = template.reasoning_tags, template.answer_tags
    return f"{reasoning.start}{example.reasoning}{reasoning.end}\n{answer.start}{example.answer}{answer.end}"


def demonstrations(example: Example, template: ChatTemplate, *, system_role: bool = True) -> list[dict[str, Messages]]:
    """Return what the warm-up learns from a row: for each turn of the assistant, what precedes it and the turn.

    So a loss on completions alone is a loss on all that the assistant says, with any template.
    """
    if example.messages is None:
        messages = asked(example, template, system_role=system_role)
        messages += [{"role": "assistant", "content": worked_answer(example, template)}]
    else:
        messages = _with_system([{"role": each.role, "content": each.content} for each in example.messages], template)
        messages = messages if system_role else _fold_system(messages)
    turns = [index for index, message in enumerate(messages) if message["role"] == "assistant"]
    return [{"prompt": messages[:turn], "completion": [messages[turn]]} for turn in turns]


def _with_system(messages: Messages, template: ChatTemplate) -> Messages:
    if not template.system_prompt or messages[0]["role"] == "system":
        return messages
    return [{"role": "system", "content": template.system_prompt}, *messages]


def _fold_system(messages: Sequence[dict[str, str]]) -> Messages:
    if messages[0]["role"] != "system" or len(messages) < 2:
        return list(messages)
    system, first, *rest = messages
    return [{"role": first["role"], "content": f"{system['content']}\n\n{first['content']}"}, *rest]
