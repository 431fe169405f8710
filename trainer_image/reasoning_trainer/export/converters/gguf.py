"""Writes a folder of Transformers as GGUF in bfloat16, with llama.cpp's own converter.

``python -m reasoning_trainer.export.converters.gguf model|vocabulary FOLDER FILE NAME``. A vocabulary needs
no weights: it shows in seconds whether the model's architecture and tokenizer are among those that the converter knows.
"""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path
from typing import Any

import convert_hf_to_gguf  # of llama.cpp; puts the gguf package that it needs on the path
from conversion import ModelBase, ModelType, get_model_architecture, get_model_class
from conversion.base import TextModel

from .process import NOT_SUPPORTED

GPT2_SPLITTER = {"type": "ByteLevel", "add_prefix_space": False, "use_regex": True}
_known_splitter = TextModel.get_vocab_base_pre


def splitter(model: Any, tokenizer: Any) -> str:
    """Return llama.cpp's name for how a tokenizer splits text into words.

    The converter knows published tokenizers by a hash of their tokens. One that somebody trained has another hash, but
    splits as GPT-2's does if it has the byte-level splitter of the `tokenizers` library and nothing else.
    """
    try:
        return str(_known_splitter(model, tokenizer))
    except NotImplementedError:
        document = json.loads((model.dir_model / "tokenizer.json").read_text("utf-8"))
        given = document["pre_tokenizer"] or {}
        if document["normalizer"] is None and all(given.get(key) == value for key, value in GPT2_SPLITTER.items()):
            return "gpt-2"
        raise


def main(what: str, folder: str, file: str, name: str) -> None:
    """Write the file, or say that the model is not known."""
    architecture = get_model_architecture(ModelBase.load_hparams(Path(folder), False), ModelType.TEXT)
    try:
        get_model_class(architecture)
    except NotImplementedError:
        _refuse(f"GGUF: llama.cpp's converter does not know the architecture {architecture}")
    TextModel.get_vocab_base_pre = splitter
    arguments = [folder, "--outfile", file, "--outtype", "bf16", "--model-name", name]
    sys.argv = [sys.argv[0], *arguments, *(["--vocab-only"] if what == "vocabulary" else [])]
    try:
        convert_hf_to_gguf.main()
    except NotImplementedError as error:
        _refuse(f"GGUF: llama.cpp's converter cannot write this tokenizer of a {architecture}: {error}")


def _refuse(message: str) -> None:
    print(message, flush=True)
    raise SystemExit(NOT_SUPPORTED)


if __name__ == "__main__":
    logging.getLogger().setLevel(logging.WARNING)
    main(*sys.argv[1:])
