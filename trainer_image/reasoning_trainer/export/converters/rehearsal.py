"""Finds out whether llama.cpp's converter knows a model, without its weights."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from reasoning_contract.exit_codes import ExitCode

from ...errors import TrainerError
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
        If the converter does not know the architecture or the tokenizer, which it names, or is not there.
    """
    if find_spec("llama_cpp") is None:
        raise TrainerError(
            ExitCode.NOT_SUPPORTED,
            "NotSupported",
            "export.formats: GGUF needs llama.cpp, which this image was built without (GGUF=no)",
            "name an image in pod.image that was built with it, or remove the format and export merged16bit",
        )
    config = json.loads((folder / "config.json").read_text("utf-8"))
    if "vocab_size" in config:
        config["vocab_size"] = max(config["vocab_size"], len(tokenizer))
    with TemporaryDirectory() as scratch:
        Path(scratch, "config.json").write_text(json.dumps(config), "utf-8")
        tokenizer.save_pretrained(scratch)
        run("gguf", "vocabulary", scratch, Path(scratch, "vocabulary.gguf"), "model", interruption=interruption)
