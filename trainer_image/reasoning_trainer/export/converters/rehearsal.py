"""Finds out whether llama.cpp's converter knows a model, without its weights."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ...interruption import Interruption
from .process import run


def rehearse(folder: Path, tokenizer: Any, interruption: Interruption) -> None:
    """Write the vocabulary alone as GGUF, to a file that is thrown away: architecture and tokenizer are tried by it.

    Parameters
    ----------
    folder
        Where the base model lies.
    tokenizer
        Its tokenizer with the job's chat template and tokens.
    interruption
        Whether the process is told to stop.

    Raises
    ------
    TrainerError
        If the converter does not know the architecture or the tokenizer; it names them.
    """
    config = json.loads((folder / "config.json").read_text("utf-8"))
    if "vocab_size" in config:
        config["vocab_size"] = max(config["vocab_size"], len(tokenizer))
    with TemporaryDirectory() as scratch:
        Path(scratch, "config.json").write_text(json.dumps(config), "utf-8")
        tokenizer.save_pretrained(scratch)
        run("gguf", "vocabulary", scratch, Path(scratch, "vocabulary.gguf"), "model", interruption=interruption)
