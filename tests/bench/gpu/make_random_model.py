"""Writes a model with random weights, for memory, time and tests: `make_random_model.py FOLDER --shape llama-8b`.

Beside it lies rows.jsonl: questions, answers and pairs. The tokenizer knows bytes and fills the vocabulary up with
words that no text has, so that whatever the model samples can be decoded.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

ROWS = 256
SHAPES: dict[str, dict[str, Any]] = {
    "llama-8b": {
        "vocab_size": 128256,
        "hidden_size": 4096,
        "intermediate_size": 14336,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "tie_word_embeddings": False,
    },
    "smollm2-135m": {
        "vocab_size": 49152,
        "hidden_size": 576,
        "intermediate_size": 1536,
        "num_hidden_layers": 30,
        "num_attention_heads": 9,
        "num_key_value_heads": 3,
        "tie_word_embeddings": True,
    },
    "tiny": {
        "vocab_size": 320,
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "tie_word_embeddings": True,
    },
}
PROMPT_CHARACTERS = {"llama-8b": 400, "smollm2-135m": 64, "tiny": 24}
CHATML = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def make_tokenizer(vocabulary: int) -> PreTrainedTokenizerFast:
    """Return a tokenizer of bytes with a vocabulary of that size."""
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    known = special + sorted(pre_tokenizers.ByteLevel.alphabet())
    words = known + [f"word{index}" for index in range(vocabulary - len(known))]
    tokenizer = Tokenizer(models.BPE(vocab={word: index for index, word in enumerate(words)}, merges=[]))
    tokenizer.add_special_tokens(special)
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token="<|im_end|>", pad_token="<|endoftext|>", chat_template=CHATML
    )


def make_model(shape: dict[str, Any]) -> LlamaForCausalLM:
    """Return the model, made on the GPU where there is one: there random numbers take no time."""
    config = LlamaConfig(
        **shape, max_position_embeddings=8192, eos_token_id=2, pad_token_id=0, bos_token_id=None, dtype="bfloat16"
    )
    torch.manual_seed(0)
    torch.set_default_dtype(torch.bfloat16)
    with torch.device("cuda" if torch.cuda.is_available() else "cpu"):
        return LlamaForCausalLM(config)


def make_rows(characters: int) -> list[dict[str, str]]:
    """Return rows with questions of that many characters, and so, with the template's, a few tokens more."""
    return [
        {
            "prompt": f"{index}: ".ljust(characters, "abcdefg "[index % 8]),
            "answer": str(index),
            "chosen": f"It is {index}.",
            "rejected": f"It is not {index}.",
        }
        for index in range(ROWS)
    ]


def main() -> None:
    """Write model, tokenizer and rows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--shape", choices=SHAPES, required=True)
    options = parser.parse_args()
    shape = SHAPES[options.shape]
    make_model(shape).save_pretrained(options.folder)
    make_tokenizer(shape["vocab_size"]).save_pretrained(options.folder)
    rows = make_rows(PROMPT_CHARACTERS[options.shape])
    (options.folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")


if __name__ == "__main__":
    main()
