"""Reads metrics and transcripts out of a run's folder."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from .errors import ClientError, Exit
from .volume import RunFiles

Json = dict[str, Any]
STAGES = ("warmup", "reinforce")
MODELS = ("base", "warmup", "reinforce")
CHECKPOINT = re.compile(r"checkpoint-(\d+)/trainer_state\.json")


def history(files: RunFiles, stage: str | None = None) -> list[Json]:
    """Return the metrics of every step, each with its stage.

    Raises
    ------
    ClientError
        If there is no such stage.
    """
    if stage is not None and stage not in STAGES:
        raise ClientError(f"there is no stage {stage}", f"stages are {' and '.join(STAGES)}", Exit.USAGE)
    chosen = (stage,) if stage else STAGES
    return [{"stage": name, **entry} for name in chosen for entry in _logged(files, name) if "step" in entry]


def _logged(files: RunFiles, stage: str) -> list[Json]:
    """Return what a finished stage logged, else what its last checkpoint remembers."""
    if finished := files.lines(f"{stage}/history.jsonl"):
        return finished
    names = [entry.path for entry in files.entries(stage)]
    whole = {name.rpartition("/")[0] for name in names if name.endswith("/complete")}
    states = [name for name in names if CHECKPOINT.search(name) and name.rpartition("/")[0] in whole]
    if not states:
        return []
    last = max(states, key=_step)
    logged: list[Json] = json.loads(files.text(last))["log_history"]
    return [entry for entry in logged if "train_runtime" not in entry]


def _step(name: str) -> int:
    found = CHECKPOINT.search(name)
    return int(found[1]) if found else -1


def samples(files: RunFiles, model: str | None = None) -> list[Json]:
    """Return the transcripts of the evaluated models, each with its model.

    Raises
    ------
    ClientError
        If there is no such model, or nothing was evaluated.
    """
    if model is not None and model not in MODELS:
        raise ClientError(f"there is no model {model}", f"models are {', '.join(MODELS)}", Exit.USAGE)
    found = list(_transcripts(files, (model,) if model else MODELS))
    if not found:
        raise ClientError(
            "the run has no transcripts yet",
            "they are written with each evaluation, where evaluation.samples is above 0",
            Exit.NOT_FOUND,
        )
    return found


def _transcripts(files: RunFiles, models: tuple[str, ...]) -> Iterator[Json]:
    for model in models:
        for entry in files.lines(f"evaluation/{model}.jsonl"):
            yield {"model": model, **entry}
