"""Chat templates: what each family prints, and that a prompt is how its conversation begins."""

from __future__ import annotations

from pathlib import Path

import pytest
from transformers import AutoTokenizer

from reasoning_contract.spec import ChatTemplate
from reasoning_trainer.backends.transformers import TransformersBackend
from reasoning_trainer.families import FAMILIES

QUESTION = [{"role": "user", "content": "1+1?"}]
ANSWER = [{"role": "assistant", "content": "2"}]
SYSTEM = [{"role": "system", "content": "Think."}]


@pytest.mark.parametrize("family", FAMILIES)
def test_a_prompt_is_how_its_conversation_begins(tiny_model: Path, family: str) -> None:
    """Else a loss on completions alone would fall on the wrong tokens."""
    tokenizer = AutoTokenizer.from_pretrained(tiny_model, bos_token="<|im_start|>")
    template = ChatTemplate.model_validate({"family": family})
    tokenizer = TransformersBackend().apply_family(tokenizer, template)
    before = SYSTEM if FAMILIES[family].system else []
    prompt = tokenizer.apply_chat_template(before + QUESTION, tokenize=False, add_generation_prompt=True)
    whole = tokenizer.apply_chat_template(before + QUESTION + ANSWER, tokenize=False)
    assert whole.startswith(prompt)
    assert whole[len(prompt) :].rstrip().startswith("2")
    assert tokenizer.eos_token in whole[len(prompt) :]
    assert ("Think." in prompt) == bool(before)


@pytest.mark.parametrize(
    ("family", "text"),
    [
        ("chatml", "<|im_start|>user\n1+1?<|im_end|>\n<|im_start|>assistant\n"),
        (
            "llama-3.1",
            "<s><|start_header_id|>user<|end_header_id|>\n\n1+1?<|eot_id|>"
            "<|start_header_id|>assistant<|end_header_id|>\n\n",
        ),
        ("gemma-3", "<s><start_of_turn>user\n1+1?<end_of_turn>\n<start_of_turn>model\n"),
        ("phi-4", "<|im_start|>user<|im_sep|>1+1?<|im_end|><|im_start|>assistant<|im_sep|>"),
    ],
)
def test_families_print_what_their_model_cards_show(tiny_model: Path, family: str, text: str) -> None:
    end = FAMILIES[family].end
    tokenizer = AutoTokenizer.from_pretrained(tiny_model, bos_token="<s>")
    tokenizer.add_special_tokens({"additional_special_tokens": [end]})
    tokenizer = TransformersBackend().apply_family(tokenizer, ChatTemplate.model_validate({"family": family}))
    assert tokenizer.apply_chat_template(QUESTION, tokenize=False, add_generation_prompt=True) == text
    assert tokenizer.eos_token == end
