"""The tokenizer alone, without the model's weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from reasoning_contract.exit_codes import ExitCode
from reasoning_contract.spec import Spec

from ..errors import TrainerError


def load_tokenizer(spec: Spec, folder: Path) -> Any:
    """Read a tokenizer; it pads on the left, with the end token where it has no other.

    Raises
    ------
    TrainerError
        If there is none, or it cannot be read.
    """
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=spec.model.trust_remote_code)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise unreadable(folder, error) from error
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    tokenizer.padding_side = "left"
    return tokenizer


def unreadable(folder: Path, error: Exception) -> TrainerError:
    """Return the error for a folder that is no model."""
    return TrainerError(
        ExitCode.MODEL_INVALID,
        "ModelUnreadable",
        f"the model in {folder} cannot be loaded: {error}",
        "it must be a folder as save_pretrained writes it: config.json, *.safetensors and a tokenizer",
    )
