"""Quantises a folder of Transformers to NF4 with bitsandbytes.

``python -m reasoning_trainer.export.converters.nf4 FOLDER TARGET yes|no``; yes runs code that comes with the model.
"""

from __future__ import annotations

import sys

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig


def main(folder: str, target: str, trust: str) -> None:
    """Write the linear layers in NF4, doubly quantised as QLoRA does; embeddings and head stay in 16 bits."""
    quantised = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16,
    )
    trusted = {"trust_remote_code": trust == "yes"}
    model = AutoModelForCausalLM.from_pretrained(
        folder, quantization_config=quantised, dtype=torch.bfloat16, device_map={"": "cpu"}, **trusted
    )
    model.save_pretrained(target)
    AutoTokenizer.from_pretrained(folder, **trusted).save_pretrained(target)


if __name__ == "__main__":
    main(*sys.argv[1:])
