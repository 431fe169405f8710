"""Looks at a reward model's files before anything takes long."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from reasoning_contract.exit_codes import ExitCode

from ...errors import TrainerError

HEAD = "ForSequenceClassification"
HINT = "give a model that was trained as a reward model: one sequence classifier with one score (num_labels 1)"


def config_of(name: str, folder: Path, *, with_weights: bool = True) -> dict[str, Any]:
    """Return the config.json of a sequence classifier with one score.

    Parameters
    ----------
    name
        Name of the reward.
    folder
        The model's files.
    with_weights
        Whether its weights are to be among them, in safetensors.

    Raises
    ------
    TrainerError
        If it is another kind of model.
    """
    config = _config(name, folder)
    kinds = config.get("architectures") or []
    if not any(str(kind).endswith(HEAD) for kind in kinds):
        raise invalid(name, f"it is a {', '.join(map(str, kinds)) or 'model of no kind'}, no sequence classifier")
    labels = len(config["id2label"]) if "id2label" in config else config.get("num_labels", 2)
    if labels != 1:
        raise invalid(name, f"it has {labels} scores, not one")
    if with_weights and not any(folder.glob("*.safetensors")):
        raise invalid(name, "it has no weights in *.safetensors")
    return config


def _config(name: str, folder: Path) -> dict[str, Any]:
    try:
        config = json.loads((folder / "config.json").read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise invalid(name, f"its config.json cannot be read: {error}") from error
    if not isinstance(config, dict):
        raise invalid(name, "its config.json is no object")
    return config


def invalid(name: str, what: str) -> TrainerError:
    """Return the error for a model that cannot score."""
    return TrainerError(ExitCode.MODEL_INVALID, "RewardModelInvalid", f"rewards.{name}.model: {what}", HINT)
