"""Writes a model with random weights in the shape of Llama-3.1-8B, for memory and time: `make_random_model.py FOLDER`.

Beside it lies rows.jsonl: prompts of about 480 tokens. The tokenizer knows bytes and fills the vocabulary up with words
that no text has, so that whatever the model samples can be decoded.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

VOCABULARY = 128256
PROMPT_CHARACTERS, ROWS = 400, 256
CHATML = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def make_tokenizer() -> PreTrainedTokenizerFast:
    """Return a tokenizer of bytes with a vocabulary of Llama's size."""
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    known = special + sorted(pre_tokenizers.ByteLevel.alphabet())
    words = known + [f"word{index}" for index in range(VOCABULARY - len(known))]
    tokenizer = Tokenizer(models.BPE(vocab={word: index for index, word in enumerate(words)}, merges=[]))
    tokenizer.add_special_tokens(special)
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token="<|im_end|>", pad_token="<|endoftext|>", chat_template=CHATML
    )


def make_model(layers: int) -> LlamaForCausalLM:
    """Return the model, made on the GPU: there random numbers take no time."""
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=4096,
        intermediate_size=14336,
        num_hidden_layers=layers,
        num_attention_heads=32,
        num_key_value_heads=8,
        max_position_embeddings=8192,
        tie_word_embeddings=False,
        eos_token_id=2,
        pad_token_id=0,
        bos_token_id=None,
        dtype="bfloat16",
    )
    torch.set_default_dtype(torch.bfloat16)
    with torch.device("cuda"):
        return LlamaForCausalLM(config)


def main() -> None:
    """Write model, tokenizer and rows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--layers", type=int, default=32)
    options = parser.parse_args()
    make_model(options.layers).save_pretrained(options.folder)
    make_tokenizer().save_pretrained(options.folder)
    rows = [
        {"prompt": f"{index}: ".ljust(PROMPT_CHARACTERS, "abcdefg "[index % 8]), "answer": str(index)}
        for index in range(ROWS)
    ]
    (options.folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")


if __name__ == "__main__":
    main()
