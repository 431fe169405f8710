"""How text becomes a prompt, and where its parts stand in what comes back."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ..rules import Part, rule
from .types import Tag, Text


class Tags(Part):
    """A pair of tags around a part of the completion."""

    start: Tag
    """Opening tag."""
    end: Tag
    """Closing tag."""

    @rule("self.start != self.end", "start and end must differ")
    def _differ(self) -> bool:
        return self.start != self.end


ChatFamily = Literal[
    "alpaca", "chatml", "gemma", "gemma-3", "gemma-3n", "gemma-4", "gemma2", "gpt-oss", "lfm-2", "llama", "llama-3",
    "llama-3.1", "llama-3.2", "llama-3.3", "mistral", "phi-3", "phi-3.5", "phi-4", "qwen-2.5", "qwen-2.5-coder",
    "qwen-3", "qwen3-instruct", "qwen3-thinking", "starling", "unsloth", "vicuna", "yi-chat", "zephyr",
]  # fmt: skip

DEFAULT_SYSTEM_PROMPT = (
    "Think step by step between <reasoning> and </reasoning>, "
    "then give the final answer between <answer> and </answer>."
)


class ChatTemplate(Part):
    """How a row becomes a prompt, and where its reasoning and answer stand."""

    family: ChatFamily | None = None
    """A known family. Empty, with `jinja` empty too: the template that the model's tokenizer carries."""
    jinja: Text | None = None
    """A template of your own, instead of a family."""
    eos_token: Tag | None = None
    """Token that ends a turn of your own template; the tokenizer's by default."""
    special_tokens: Annotated[list[Tag], Field(max_length=64)] = []
    """Tokens of your own template that the tokenizer lacks; they are added to it."""
    system_prompt: Text = DEFAULT_SYSTEM_PROMPT
    """What the model is told to do; it should name the tags. Empty for none."""
    reasoning_tags: Tags = Tags(start="<reasoning>", end="</reasoning>")
    """Tags around the reasoning."""
    answer_tags: Tags = Tags(start="<answer>", end="</answer>")
    """Tags around the answer."""
    instruction_part: Tag | None = None
    """Text that opens a user turn of your own template."""
    response_part: Tag | None = None
    """Text that the assistant's words follow. Both parts are needed to train on responses only where the template does
    not write a prompt as its conversation begins; those of models that think do not."""

    @rule(
        "self.reasoningTags.start != self.answerTags.start && self.reasoningTags.end != self.answerTags.end",
        "must differ from reasoningTags: where the reasoning ends and the answer begins could not be told",
        field="answerTags",
    )
    def _parts_can_be_told_apart(self) -> bool:
        reasoning, answer = self.reasoning_tags, self.answer_tags
        return reasoning.start != answer.start and reasoning.end != answer.end

    @rule(
        "!has(self.jinja) || self.jinja.contains('messages')",
        "must write the conversation, which a template is handed as messages",
        field="jinja",
    )
    def _writes_the_conversation(self) -> bool:
        return self.jinja is None or "messages" in self.jinja

    @rule("!(has(self.family) && has(self.jinja))", "give family or jinja, not both")
    def _one_template(self) -> bool:
        return self.family is None or self.jinja is None

    @rule(
        "has(self.instructionPart) == has(self.responsePart)",
        "instructionPart and responsePart go together: give both or neither",
    )
    def _parts_go_together(self) -> bool:
        return (self.instruction_part is None) == (self.response_part is None)

    @rule(
        "has(self.jinja) || (!has(self.eosToken) && size(self.specialTokens) == 0 && !has(self.instructionPart))",
        "eosToken, specialTokens, instructionPart and responsePart belong to a template of your own: give jinja too",
    )
    def _custom_parts_need_a_custom_template(self) -> bool:
        custom = self.eos_token or self.special_tokens or self.instruction_part
        return self.jinja is not None or not custom
