"""Chat templates by family: what opens and closes each turn, after the model cards of the families."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from reasoning_contract.spec import ChatTemplate


@dataclass(frozen=True)
class Family:
    """How a family of models writes a conversation.

    Attributes
    ----------
    user, assistant, system
        Texts before and after the content of a turn; no system where the family has no such role.
    end
        Token that ends the assistant's turn.
    begin
        Whether the conversation begins with the tokenizer's first token.
    """

    user: tuple[str, str]
    assistant: tuple[str, str]
    system: tuple[str, str] | None
    end: str
    begin: bool = False

    def jinja(self, end: str) -> str:
        """Return the template.

        Parameters
        ----------
        end
            Token that ends the assistant's turn: the family's own, or the tokenizer's where that has no such token.
        """
        turns = {"user": self.user, "assistant": self.assistant} | ({"system": self.system} if self.system else {})
        cases = "".join(
            f"{{%- {'elif' if index else 'if'} message['role'] == {role!r} %}}"
            f"{{{{- {before.replace(self.end, end)!r} + message['content'] + {after.replace(self.end, end)!r} }}}}"
            for index, (role, (before, after)) in enumerate(turns.items())
        )
        unknown = "{%- else %}{{- raise_exception('the template has no role ' + message['role']) }}{%- endif %}"
        begin = "{{- bos_token }}" if self.begin else ""
        opening = f"{{%- if add_generation_prompt %}}{{{{- {self.assistant[0]!r} }}}}{{%- endif %}}"
        return f"{begin}{{%- for message in messages %}}{cases}{unknown}{{%- endfor %}}{opening}"


def _chatml(*, begin: bool = False) -> Family:
    end = "<|im_end|>"
    return Family(
        user=("<|im_start|>user\n", f"{end}\n"),
        assistant=("<|im_start|>assistant\n", f"{end}\n"),
        system=("<|im_start|>system\n", f"{end}\n"),
        end=end,
        begin=begin,
    )


def _llama3() -> Family:
    def turn(role: str) -> tuple[str, str]:
        return f"<|start_header_id|>{role}<|end_header_id|>\n\n", "<|eot_id|>"

    return Family(turn("user"), turn("assistant"), turn("system"), "<|eot_id|>", begin=True)


def _gemma() -> Family:
    end = "<end_of_turn>"
    return Family(("<start_of_turn>user\n", f"{end}\n"), ("<start_of_turn>model\n", f"{end}\n"), None, end, begin=True)


def _phi(separator: str, end: str, opening: str) -> Family:
    def turn(role: str) -> tuple[str, str]:
        return f"{opening.format(role)}{separator}", f"{end}\n" if separator == "\n" else end

    return Family(turn("user"), turn("assistant"), turn("system"), end)


FAMILIES = (
    {name: _chatml() for name in ("chatml", "qwen-2.5", "qwen-2.5-coder", "qwen-3", "qwen3-instruct", "qwen3-thinking")}
    | {"yi-chat": _chatml(), "lfm-2": _chatml(begin=True)}
    | {name: _llama3() for name in ("llama-3", "llama-3.1", "llama-3.2", "llama-3.3")}
    | {name: _gemma() for name in ("gemma", "gemma2", "gemma-3", "gemma-3n")}
    | {name: _phi("\n", "<|end|>", "<|{}|>") for name in ("phi-3", "phi-3.5")}
    | {
        "phi-4": _phi("<|im_sep|>", "<|im_end|>", "<|im_start|>{}"),
        "mistral": Family(("[INST] ", " [/INST]"), (" ", "</s>"), None, "</s>", begin=True),
        "zephyr": Family(("<|user|>\n", "</s>\n"), ("<|assistant|>\n", "</s>\n"), ("<|system|>\n", "</s>\n"), "</s>"),
        "vicuna": Family(("USER: ", " "), ("ASSISTANT: ", "</s>"), ("", " "), "</s>", begin=True),
        "alpaca": Family(("### Instruction:\n", "\n\n"), ("### Response:\n", "</s>\n\n"), ("", "\n\n"), "</s>", True),
    }
)
"""Families that backend transformers has templates for."""


def apply_family(tokenizer: Any, template: ChatTemplate) -> Any:
    """Set a family's template; turns end with its token, or with the tokenizer's where that has no such token."""
    family = FAMILIES[template.family or ""]
    if family.end in tokenizer.get_vocab():
        tokenizer.eos_token = family.end
    tokenizer.chat_template = family.jinja(tokenizer.eos_token)
    return tokenizer
