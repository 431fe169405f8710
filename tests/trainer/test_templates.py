"""Chat templates: what each family prints, and that of a conversation the assistant's turn alone is learned."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import pytest
from transformers import AutoTokenizer

from reasoning_contract.resolve import resolve
from reasoning_contract.spec import ChatFamily, Spec
from reasoning_trainer.attempt import Chat
from reasoning_trainer.chat.families import FAMILIES
from reasoning_trainer.chat.responses import IGNORED
from reasoning_trainer.chat.template import apply_template
from reasoning_trainer.data.examples import Example

SYSTEM = {"role": "system", "content": "SYS"}
TURNS = [
    {"role": "user", "content": "U1"},
    {"role": "assistant", "content": "A1"},
    {"role": "user", "content": "U2"},
    {"role": "assistant", "content": "A2"},
]
IM_START, IM_END, EOT = "<|im_start|>", "<|im_end|>", "<|eot_id|>"
CHATML = (
    f"{IM_START}system\nSYS{IM_END}\n{IM_START}user\nU1{IM_END}\n{IM_START}assistant\nA1{IM_END}\n"
    f"{IM_START}user\nU2{IM_END}\n{IM_START}assistant\nA2{IM_END}\n"
)
LLAMA3 = "".join(
    f"<|start_header_id|>{role}<|end_header_id|>\n\n{text}{EOT}"
    for role, text in (("system", "SYS"), ("user", "U1"), ("assistant", "A1"), ("user", "U2"), ("assistant", "A2"))
)
GEMMA = "".join(
    f"<start_of_turn>{role}\n{text}<end_of_turn>\n"
    for role, text in (("user", "U1"), ("model", "A1"), ("user", "U2"), ("model", "A2"))
)
PHI3 = "".join(
    f"<|{role}|>\n{text}<|end|>\n"
    for role, text in (("system", "SYS"), ("user", "U1"), ("assistant", "A1"), ("user", "U2"), ("assistant", "A2"))
)
PUBLISHED = {
    **dict.fromkeys(("chatml", "qwen-2.5", "qwen-2.5-coder", "qwen-3", "qwen3-instruct", "qwen3-thinking"), CHATML),
    "yi-chat": CHATML,
    "lfm-2": f"<s>{CHATML}",
    **dict.fromkeys(("llama-3", "llama-3.1", "llama-3.2", "llama-3.3"), f"<s>{LLAMA3}"),
    **dict.fromkeys(("gemma", "gemma2", "gemma-3", "gemma-3n"), f"<s>{GEMMA}"),
    "gemma-4": "<s><|turn>system\nSYS<turn|>\n<|turn>user\nU1<turn|>\n<|turn>model\nA1<turn|>\n"
    "<|turn>user\nU2<turn|>\n<|turn>model\nA2<turn|>\n",
    **dict.fromkeys(("phi-3", "phi-3.5"), PHI3),
    "phi-4": "<|im_start|>system<|im_sep|>SYS<|im_end|><|im_start|>user<|im_sep|>U1<|im_end|>"
    "<|im_start|>assistant<|im_sep|>A1<|im_end|><|im_start|>user<|im_sep|>U2<|im_end|>"
    "<|im_start|>assistant<|im_sep|>A2<|im_end|>",
    "gpt-oss": "<|start|>developer<|message|># Instructions\n\nSYS<|end|><|start|>user<|message|>U1<|end|>"
    "<|start|>assistant<|channel|>final<|message|>A1<|end|><|start|>user<|message|>U2<|end|>"
    "<|start|>assistant<|channel|>final<|message|>A2<|return|>",
    "llama": "<s>[INST] <<SYS>>\nSYS\n<</SYS>>\n\nU1 [/INST] A1 </s><s>[INST] U2 [/INST] A2 </s>",
    "mistral": "<s>[INST] U1 [/INST]A1</s>[INST] U2 [/INST]A2</s>",
    "starling": "<s>GPT4 Correct System: SYS<|end_of_turn|>GPT4 Correct User: U1<|end_of_turn|>"
    "GPT4 Correct Assistant: A1<|end_of_turn|>GPT4 Correct User: U2<|end_of_turn|>"
    "GPT4 Correct Assistant: A2<|end_of_turn|>",
    "zephyr": "<|system|>\nSYS</s>\n<|user|>\nU1</s>\n<|assistant|>\nA1</s>\n<|user|>\nU2</s>\n<|assistant|>\nA2</s>\n",
    "vicuna": "<s>SYS USER: U1 ASSISTANT: A1</s>USER: U2 ASSISTANT: A2</s>",
    "alpaca": "<s>SYS\n\n### Instruction:\nU1\n\n### Response:\nA1</s>\n\n"
    "### Instruction:\nU2\n\n### Response:\nA2</s>\n\n",
    "unsloth": "<s>SYS\n>>> User: U1\n>>> Assistant: A1</s>\n>>> User: U2\n>>> Assistant: A2</s>\n",
}
"""A conversation as the model cards write it; <s> and </s> stand for the tokenizer's own first and end token."""
OPENINGS = {"llama": " [/INST]", "mistral": " [/INST]", "vicuna": "ASSISTANT:", "starling": "GPT4 Correct Assistant:"}
"""What a prompt ends with, of families where that is not all that stands before the assistant's words."""


def spec(**template: Any) -> Spec:
    document = {
        "model": {"source": "file:///model"},
        "chatTemplate": template,
        "data": {"train": {"rows": [{"prompt": "a", "answer": "b"}]}},
        "rewards": [{"name": "correct", "builtin": "correctness"}],
        "evaluation": {"enabled": False},
        "parallelism": {"gpusPerNode": 0},
    }
    return resolve(Spec.model_validate(document))


def chat_of(tiny_model: Path, job: Spec, *tokens: str) -> Chat:
    tokenizer = AutoTokenizer.from_pretrained(tiny_model, bos_token="<s>", eos_token="</s>")
    if tokens:
        tokenizer.add_special_tokens({"additional_special_tokens": list(tokens)})
    chat = Chat(tokenizer=tokenizer)
    apply_template(job, chat)
    return chat


def test_every_family_has_a_published_layout() -> None:
    assert set(get_args(ChatFamily)) == set(FAMILIES) == set(PUBLISHED)


@pytest.mark.parametrize("name", PUBLISHED)
def test_family_prints_its_published_layout(tiny_model: Path, name: str) -> None:
    end = FAMILIES[name].end
    chat = chat_of(tiny_model, spec(family=name), *([end] if end else []))
    messages = [SYSTEM, *TURNS] if FAMILIES[name].system else TURNS
    assert chat.tokenizer.apply_chat_template(messages, tokenize=False) == PUBLISHED[name]
    assert chat.tokenizer.eos_token == (end or "</s>")
    assert chat.system_role is (FAMILIES[name].system is not None)


@pytest.mark.parametrize("name", PUBLISHED)
def test_prompt_is_how_its_conversation_begins_and_the_rest_is_learned(tiny_model: Path, name: str) -> None:
    job, end = spec(family=name), FAMILIES[name].end
    chat = chat_of(tiny_model, job, *([end] if end else []))
    prompt = chat.tokenizer.apply_chat_template(TURNS[:3], tokenize=False, add_generation_prompt=True)
    whole = chat.tokenizer.apply_chat_template(TURNS, tokenize=False)
    assert whole.startswith(prompt)
    assert prompt.endswith(OPENINGS.get(name, FAMILIES[name].assistant[0]))
    # the parts find the same place as the prompt, though nothing but the text of the whole is looked at
    learned = chat.learn(TURNS[:3], TURNS[3:])
    assert learned is not None
    ids = [token for token in learned["labels"] if token != IGNORED]
    assert chat.tokenizer.decode(ids) == whole[len(prompt) :]
    assert chat.tokenizer.eos_token_id in ids


def test_tokenizer_without_the_familys_end_token_ends_turns_with_its_own(tiny_model: Path) -> None:
    chat = chat_of(tiny_model, spec(family="llama-3.1"))
    text = chat.tokenizer.apply_chat_template(TURNS, tokenize=False)
    assert EOT not in text
    assert text.count("</s>") == 4


THINKING = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n"
    "{% if m.role == 'assistant' and loop.last %}<think>\n\n</think>\n\n{% endif %}"
    "{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n<think>\n{% endif %}"
)
"""Opens a block of thoughts in the prompt and writes an empty one in a conversation, as reasoning models' own do."""


def learned_text(chat: Chat) -> str | None:
    learned = chat.learn(TURNS[:3], TURNS[3:])
    if learned is None:
        return None
    return str(chat.tokenizer.decode([token for token in learned["labels"] if token != IGNORED]))


def test_own_template_that_writes_no_prompt_as_it_begins_needs_its_parts(tiny_model: Path) -> None:
    job = spec(jinja=THINKING)
    assert learned_text(chat_of(tiny_model, job)) == "\n</think>\n\nA2<|im_end|>\n"
    other = spec(jinja=THINKING.replace("<think>\n{% endif %}", "<thought>{% endif %}"))
    assert learned_text(chat_of(tiny_model, other)) is None
    parts = {"instructionPart": "<|im_start|>user\n", "responsePart": "</think>\n\n"}
    job = spec(jinja=THINKING, **parts)
    assert learned_text(chat_of(tiny_model, job)) == "A2<|im_end|>\n"


def test_completion_is_told_apart_from_a_prompt_that_opens_thoughts(tiny_model: Path) -> None:
    job = spec(jinja=THINKING.replace("<think>\n{% endif %}", "[thought]{% endif %}"))
    assert chat_of(tiny_model, job).continuation(Example("U"), "A") == "<think>\n\n</think>\n\nA<|im_end|>\n"


def test_answer_that_holds_the_response_part_is_learned_whole(tiny_model: Path) -> None:
    job = spec(family="alpaca")
    chat = chat_of(tiny_model, job)
    answer = {"role": "assistant", "content": "as in ### Response:\n4"}
    learned = chat.learn(TURNS[:1], [answer])
    assert learned is not None
    text = chat.tokenizer.decode([token for token in learned["labels"] if token != IGNORED])
    assert text == "as in ### Response:\n4</s>\n\n"


def test_everything_is_learned_if_asked(tiny_model: Path) -> None:
    job = spec(family="chatml")
    learned = chat_of(tiny_model, job).learn(TURNS[:1], TURNS[1:2], responses_only=False)
    assert learned is not None
    assert learned["labels"] == learned["input_ids"]
