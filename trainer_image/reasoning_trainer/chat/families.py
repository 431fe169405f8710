"""Chat templates by family: what opens and closes each turn, after the model cards of the families.

A family's template writes the turns that it is given, with the family's own control tokens, and nothing else: no
default system prompt, no date, no empty block of thoughts. Reasoning and answer stand in the job's own tags.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from reasoning_contract.spec import ChatTemplate

from .responses import Parts

BEGIN, END = "\x02", "\x03"
"""Stand in the texts of a family for the tokenizer's first token and for the token that ends a turn."""


@dataclass(frozen=True)
class Family:
    """How a family of models writes a conversation.

    Attributes
    ----------
    user, assistant
        Texts before and after the content of a turn.
    system
        The same of the system's turn; None where the family has no such role.
    end
        Token that ends the assistant's turn; None for the tokenizer's own.
    begin
        Whether the conversation begins with the tokenizer's first token.
    opening
        What a prompt ends with; what stands before the assistant's content if None.
    earlier_end
        What an assistant's turn ends with that is not the last; as the last one if empty.
    system_in_user
        Whether the system's text stands at the beginning of the user's turn.
    """

    user: tuple[str, str]
    assistant: tuple[str, str]
    system: tuple[str, str] | None
    end: str | None = None
    begin: bool = False
    opening: str | None = None
    earlier_end: str = ""
    system_in_user: bool = False

    @property
    def parts(self) -> Parts:
        """What opens the user's turn, and what the assistant's content follows."""
        return Parts(instruction=self.user[0].replace(BEGIN, ""), response=self._opening or self.user[1])

    @property
    def _opening(self) -> str:
        return self.assistant[0] if self.opening is None else self.opening

    def jinja(self) -> str:
        """Return the template."""
        cases = [("user", *self._user()), ("assistant", _text(self.assistant[0]), self._after_assistant())]
        if self.system:
            before = (self.user[0] if self.system_in_user else "") + self.system[0]
            cases.append(("system", _text(before), _text(self.system[1])))
        turns = "".join(
            f"{{%- {'elif' if index else 'if'} message['role'] == {role!r} %}}"
            f"{{{{- {before} ~ message['content'] ~ {after} }}}}"
            for index, (role, before, after) in enumerate(cases)
        )
        unknown = "{%- else %}{{- raise_exception('the template has no role ' + message['role']) }}{%- endif %}"
        begin = f"{{{{- {_text(BEGIN)} }}}}" if self.begin else ""
        prompt = f"{{%- if add_generation_prompt %}}{{{{- {_text(self._opening)} }}}}{{%- endif %}}"
        return f"{begin}{{%- for message in messages %}}{turns}{unknown}{{%- endfor %}}{prompt}"

    def _user(self) -> tuple[str, str]:
        before, after = _text(self.user[0]), _text(self.user[1])
        if self.system_in_user:
            opened = "loop.index0 > 0 and messages[loop.index0 - 1]['role'] == 'system'"
            before = f"('' if {opened} else {before})"
        return before, after

    def _after_assistant(self) -> str:
        last = _text(self.assistant[1])
        return f"({last} if loop.last else {_text(self.earlier_end)})" if self.earlier_end else last


def _text(text: str) -> str:
    """Return a text as an expression of Jinja, in which the two tokens are the tokenizer's."""
    pieces = [piece for piece in re.split(f"([{BEGIN}{END}])", text) if piece]
    names = {BEGIN: "bos_token", END: "eos_token"}
    return "(" + " ~ ".join(names.get(piece, repr(piece)) for piece in pieces or [""]) + ")"


def parts_of(template: ChatTemplate) -> Parts | None:
    """Return the parts of the template that a job asks for; None where nobody says."""
    if template.family is not None:
        return FAMILIES[template.family].parts
    if template.instruction_part is None or template.response_part is None:
        return None
    return Parts(template.instruction_part, template.response_part)


def apply_family(tokenizer: Any, name: str) -> None:
    """Give a tokenizer a family's template. Turns end with its token, or the tokenizer's where that has none such."""
    family = FAMILIES[name]
    if family.end is not None and family.end in tokenizer.get_vocab():
        tokenizer.eos_token = family.end
    tokenizer.chat_template = family.jinja()


def _chatml(*, begin: bool = False) -> Family:
    def turn(role: str) -> tuple[str, str]:
        return f"<|im_start|>{role}\n", f"{END}\n"

    return Family(turn("user"), turn("assistant"), turn("system"), "<|im_end|>", begin)


def _llama3() -> Family:
    def turn(role: str) -> tuple[str, str]:
        return f"<|start_header_id|>{role}<|end_header_id|>\n\n", END

    return Family(turn("user"), turn("assistant"), turn("system"), "<|eot_id|>", begin=True)


def _gemma() -> Family:
    def turn(role: str) -> tuple[str, str]:
        return f"<start_of_turn>{role}\n", f"{END}\n"

    return Family(turn("user"), turn("model"), None, "<end_of_turn>", begin=True)


def _gemma4() -> Family:
    def turn(role: str) -> tuple[str, str]:
        return f"<|turn>{role}\n", f"{END}\n"

    return Family(turn("user"), turn("model"), turn("system"), "<turn|>", begin=True)


def _phi3() -> Family:
    def turn(role: str) -> tuple[str, str]:
        return f"<|{role}|>\n", f"{END}\n"

    return Family(turn("user"), turn("assistant"), turn("system"), "<|end|>")


def _phi4() -> Family:
    def turn(role: str) -> tuple[str, str]:
        return f"<|im_start|>{role}<|im_sep|>", END

    return Family(turn("user"), turn("assistant"), turn("system"), "<|im_end|>")


def _starling() -> Family:
    def turn(role: str) -> tuple[str, str]:
        return f"GPT4 Correct {role}: ", END

    opening = "GPT4 Correct Assistant:"
    return Family(turn("User"), turn("Assistant"), turn("System"), "<|end_of_turn|>", begin=True, opening=opening)


def _zephyr() -> Family:
    def turn(role: str) -> tuple[str, str]:
        return f"<|{role}|>\n", f"{END}\n"

    return Family(turn("user"), turn("assistant"), turn("system"))


FAMILIES = (
    {name: _chatml() for name in ("chatml", "qwen-2.5", "qwen-2.5-coder", "qwen-3", "qwen3-instruct", "qwen3-thinking")}
    | {"yi-chat": _chatml(), "lfm-2": _chatml(begin=True)}
    | {name: _llama3() for name in ("llama-3", "llama-3.1", "llama-3.2", "llama-3.3")}
    | {name: _gemma() for name in ("gemma", "gemma2", "gemma-3", "gemma-3n")}
    | {name: _phi3() for name in ("phi-3", "phi-3.5")}
    | {"gemma-4": _gemma4(), "phi-4": _phi4(), "starling": _starling(), "zephyr": _zephyr()}
    | {
        "alpaca": Family(
            ("### Instruction:\n", "\n\n"), ("### Response:\n", f"{END}\n\n"), system=("", "\n\n"), begin=True
        ),
        "gpt-oss": Family(
            ("<|start|>user<|message|>", "<|end|>"),
            ("<|start|>assistant<|channel|>final<|message|>", END),
            system=("<|start|>developer<|message|># Instructions\n\n", "<|end|>"),
            end="<|return|>",
            earlier_end="<|end|>",
        ),
        "llama": Family(
            (f"{BEGIN}[INST] ", " [/INST]"),
            (" ", f" {END}"),
            system=("<<SYS>>\n", "\n<</SYS>>\n\n"),
            opening="",
            system_in_user=True,
        ),
        "mistral": Family(("[INST] ", " [/INST]"), ("", END), system=None, begin=True),
        "unsloth": Family((">>> User: ", "\n"), (">>> Assistant: ", f"{END}\n"), system=("", "\n"), begin=True),
        "vicuna": Family(("USER: ", " "), ("ASSISTANT: ", END), system=("", " "), begin=True, opening="ASSISTANT:"),
    }
)
"""Every family of `spec.ChatFamily`."""
