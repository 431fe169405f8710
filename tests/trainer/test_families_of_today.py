"""Templates that today's models carry: each opens, ends and masks as its own documentation says.

The templates are written here in the published structure of their families, without tools and images.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from reasoning_contract.resolve import resolve
from reasoning_contract.spec import Spec, Tags
from reasoning_trainer.chat.chat import Chat
from reasoning_trainer.chat.template import apply_template
from reasoning_trainer.data.examples import Example
from reasoning_trainer.rewards.completion import final_answer
from reasoning_trainer.rewards.format import strict_format

DOCS = Path(__file__).parents[2] / "docs/chat-templates.md"
THINK, REASONING = ("<think>", "</think>"), ("<reasoning>", "</reasoning>")

CHATML = "{%- for m in messages %}{{- '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{%- endfor %}"
QWEN3 = """
{%- set ns = namespace(query=-1) %}
{%- for m in messages %}{%- if m.role == 'user' %}{%- set ns.query = loop.index0 %}{%- endif %}{%- endfor %}
{%- for m in messages %}
{%- if m.role == 'assistant' %}
{%- set content = m.content %}{%- set thoughts = '' %}
{%- if '</think>' in content %}
{%- set thoughts = content.split('</think>')[0].rstrip('\n').split('<think>')[-1].lstrip('\n') %}
{%- set content = content.split('</think>')[-1].lstrip('\n') %}
{%- endif %}
{{- '<|im_start|>assistant\n' }}
{%- if loop.index0 > ns.query and (loop.last or thoughts) %}
{{- '<think>\n' + thoughts.strip('\n') + '\n</think>\n\n' + content.lstrip('\n') }}
{%- else %}{{- content }}{%- endif %}
{{- '<|im_end|>\n' }}
{%- else %}{{- '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{%- endif %}
{%- endfor %}
"""
R1 = """
{{- bos_token }}
{%- for m in messages %}
{%- if m.role == 'system' %}{{- m.content }}
{%- elif m.role == 'user' %}{{- '<|User|>' + m.content }}
{%- else %}{{- '<|Assistant|>' + m.content.split('</think>')[-1] + '<|end_of_sentence|>' }}{%- endif %}
{%- endfor %}
"""
GPT_OSS = """
{{- '<|start|>system<|message|>You are ChatGPT, a large language model trained by OpenAI.\n\nReasoning: medium\n\n'
 + '# Valid channels: analysis, commentary, final.<|end|>' }}
{%- for m in messages %}
{%- if m.role == 'system' %}{{- '<|start|>developer<|message|># Instructions\n\n' + m.content + '<|end|>' }}
{%- elif m.role == 'user' %}{{- '<|start|>user<|message|>' + m.content + '<|end|>' }}
{%- else %}{{- '<|start|>assistant<|channel|>final<|message|>' + m.content }}
{{- '<|return|>' if loop.last and not add_generation_prompt else '<|end|>' }}{%- endif %}
{%- endfor %}
"""
GEMMA3 = """
{{- bos_token }}
{%- if messages[0].role == 'system' %}{%- set first = messages[0].content + '\n\n' %}{%- set turns = messages[1:] %}
{%- else %}{%- set first = '' %}{%- set turns = messages %}{%- endif %}
{%- for m in turns %}
{%- if (m.role == 'user') != (loop.index0 % 2 == 0) %}
{{- raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{%- endif %}
{{- '<start_of_turn>' + ('model' if m.role == 'assistant' else m.role) + '\n' + (first if loop.first else '') }}
{{- m.content | trim + '<end_of_turn>\n' }}
{%- endfor %}
"""
LLAMA3 = """
{{- bos_token + '<|start_header_id|>system<|end_header_id|>\n\nCutting Knowledge Date: December 2023\n' }}
{{- 'Today Date: 26 Jul 2024\n\n' }}
{%- if messages[0].role == 'system' %}{{- messages[0].content | trim }}{%- set messages = messages[1:] %}{%- endif %}
{{- '<|eot_id|>' }}
{%- for m in messages %}
{{- '<|start_header_id|>' + m.role + '<|end_header_id|>\n\n' + m.content | trim + '<|eot_id|>' }}
{%- endfor %}
"""
MISTRAL = """
{{- bos_token }}
{%- for m in messages %}
{%- if m.role == 'system' %}{{- '[SYSTEM_PROMPT]' + m.content + '[/SYSTEM_PROMPT]' }}
{%- elif m.role == 'user' %}{{- '[INST]' + m.content + '[/INST]' }}
{%- else %}{{- m.content + eos_token }}{%- endif %}
{%- endfor %}
"""
PHI4 = """
{%- for m in messages %}{{- '<|im_start|>' + m.role + '<|im_sep|>' + m.content + '<|im_end|>' }}{%- endfor %}
"""
SMOLLM3 = """
{{- '<|im_start|>system\n## Metadata\n\nReasoning Mode: /think\n\n## Custom Instructions\n\n' }}
{%- if messages[0].role == 'system' %}{{- messages[0].content }}{%- set messages = messages[1:] %}{%- endif %}
{{- '<|im_end|>\n' }}
{%- for m in messages %}
{{- '<|im_start|>' + m.role + '\n' + m.content.lstrip('\n') + '<|im_end|>\n' }}
{%- endfor %}
"""


def prompting(template: str, opening: str) -> str:
    """Return the template with what it ends a prompt with."""
    return template + "{%- if add_generation_prompt %}{{- '" + opening + "' }}{%- endif %}"


@dataclass(frozen=True)
class Carried:
    """A template as a model carries it, and what its documentation says.

    Attributes
    ----------
    eos
        The tokenizer's own end token.
    end
        The token that ends a turn.
    opened
        What a prompt opens of the tags.
    leads
        What stands before the words in a conversation and not in a prompt, as a run reads it.
    """

    template: str
    specials: tuple[str, ...]
    eos: str
    end: str
    thinks: tuple[str, str] = THINK
    opened: str = ""
    leads: str = ""
    system_role: bool = True


IM = ("<|im_start|>", "<|im_end|>", "<|endoftext|>")
ASSISTANT = "<|im_start|>assistant\\n"
FAMILIES = {
    "Qwen3": Carried(prompting(QWEN3, ASSISTANT), IM, "<|im_end|>", "<|im_end|>"),
    "Qwen3 without thoughts": Carried(
        prompting(QWEN3, ASSISTANT + "<think>\\n\\n</think>\\n\\n"),
        IM,
        "<|im_end|>",
        "<|im_end|>",
        thinks=REASONING,
    ),
    "Qwen3 Thinking 2507": Carried(
        prompting(QWEN3, ASSISTANT + "<think>\\n"), IM, "<|im_end|>", "<|im_end|>", opened="<think>\n"
    ),
    "Qwen3 Instruct 2507": Carried(prompting(CHATML, ASSISTANT), IM, "<|im_end|>", "<|im_end|>", thinks=REASONING),
    "Qwen base models": Carried(prompting(CHATML, ASSISTANT), IM, "<|endoftext|>", "<|im_end|>", thinks=REASONING),
    "DeepSeek R1 distills": Carried(
        prompting(R1, "<|Assistant|><think>\\n"),
        ("<|User|>", "<|Assistant|>", "<|end_of_sentence|>"),
        "<|end_of_sentence|>",
        "<|end_of_sentence|>",
        opened="<think>\n",
    ),
    "gpt-oss": Carried(
        prompting(GPT_OSS, "<|start|>assistant"),
        ("<|start|>", "<|message|>", "<|channel|>", "<|end|>", "<|return|>"),
        "<|return|>",
        "<|return|>",
        thinks=REASONING,
        leads="final",
    ),
    "Gemma 3": Carried(
        prompting(GEMMA3, "<start_of_turn>model\\n"),
        ("<start_of_turn>", "<end_of_turn>", "<eos>"),
        "<eos>",
        "<end_of_turn>",
        thinks=REASONING,
    ),
    "Llama 3.x": Carried(
        prompting(LLAMA3, "<|start_header_id|>assistant<|end_header_id|>\\n\\n"),
        ("<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>", "<|end_of_text|>"),
        "<|eot_id|>",
        "<|eot_id|>",
        thinks=REASONING,
    ),
    "Mistral": Carried(
        prompting(MISTRAL, ""),
        ("[INST]", "[/INST]", "[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]", "</s>"),
        "</s>",
        "</s>",
        thinks=REASONING,
    ),
    "Phi-4": Carried(
        prompting(PHI4, "<|im_start|>assistant<|im_sep|>"),
        ("<|im_start|>", "<|im_sep|>", "<|im_end|>", "<|endoftext|>"),
        "<|endoftext|>",
        "<|im_end|>",
        thinks=REASONING,
    ),
    "SmolLM3": Carried(prompting(SMOLLM3, ASSISTANT), IM, "<|im_end|>", "<|im_end|>"),
}

TURNS = [
    {"role": "user", "content": "U1"},
    {"role": "assistant", "content": "A1"},
    {"role": "user", "content": "U2"},
]


def chat_of(carried: Carried) -> Chat:
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    raw = Tokenizer(models.BPE(vocab={letter: number for number, letter in enumerate(alphabet)}, merges=[]))
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    raw.add_special_tokens(["<pad>", "<bos>", *carried.specials])
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=raw, bos_token="<bos>", eos_token=carried.eos, pad_token="<pad>"
    )
    tokenizer.chat_template = carried.template
    chat = Chat(tokenizer=tokenizer)
    start, end = carried.thinks
    document = {
        "model": {"source": "file:///model"},
        "chatTemplate": {"systemPrompt": "SYS", "reasoningTags": {"start": start, "end": end}},
        "data": {"train": {"rows": [{"prompt": "a", "answer": "b"}]}},
        "rewards": [{"name": "correct", "builtin": "correctness"}],
        "evaluation": {"enabled": False},
        "parallelism": {"gpusPerNode": 0},
    }
    apply_template(resolve(Spec.model_validate(document)), chat)
    return chat


def worked(carried: Carried) -> str:
    start, end = carried.thinks
    return f"{start}\none\n{end}\n\n<answer>2</answer>"


@pytest.mark.parametrize("name", FAMILIES)
def test_template_opens_and_ends_as_documented(name: str) -> None:
    carried = FAMILIES[name]
    chat = chat_of(carried)
    assert chat.opened == carried.opened
    assert chat.tokenizer.eos_token == carried.end
    assert chat.end_token == chat.tokenizer.eos_token_id
    assert chat.stops == ([] if carried.end == carried.eos else [chat.end_token])
    assert chat.system_role is carried.system_role
    assert "SYS" in chat.prompt(Example("U"))


@pytest.mark.parametrize("name", FAMILIES)
def test_what_the_model_says_is_what_rewards_read(name: str) -> None:
    carried = FAMILIES[name]
    chat, row = chat_of(carried), Example("U")
    ids = chat.tokens(chat.continuation(row, worked(carried)))
    assert ids[: ids.index(chat.end_token) + 1].count(chat.end_token) == 1
    said = chat.text(ids[: ids.index(chat.end_token) + 1])
    assert said == carried.leads + worked(carried)
    tags = (*carried.thinks, "<answer>", "</answer>")
    reasoning, answer = Tags(start=tags[0], end=tags[1]), Tags(start=tags[2], end=tags[3])
    assert final_answer(said, reasoning, answer) == "2"
    assert strict_format(said, tags) is (carried.leads == "")


@pytest.mark.parametrize("name", FAMILIES)
def test_last_turn_alone_is_learned_and_follows_the_prompt(name: str) -> None:
    carried = FAMILIES[name]
    chat = chat_of(carried)
    learned = chat.learn(TURNS, [{"role": "assistant", "content": worked(carried)}])
    assert learned is not None
    known = sum(label < 0 for label in learned["labels"])
    prompt = chat.render(TURNS)
    assert chat.tokenizer.decode(learned["input_ids"][:known]) == prompt
    assert chat.text(learned["input_ids"][known:]).strip() == carried.leads + worked(carried)
    assert chat.end_token in learned["labels"]


@pytest.mark.parametrize("name", ["Qwen3 Thinking 2507", "DeepSeek R1 distills"])
def test_turn_without_thoughts_closes_those_that_the_prompt_has_opened(name: str) -> None:
    chat = chat_of(FAMILIES[name])
    learned = chat.learn(TURNS[:1], [{"role": "assistant", "content": "A"}])
    assert learned is not None
    said = chat.text([token for token in learned["labels"] if token >= 0])
    assert "".join(said.split()) == "<think></think>A"


def test_docs_name_every_family() -> None:
    text = DOCS.read_text("utf-8")
    assert [name for name in FAMILIES if name not in text] == []
