"""Reads what a page is made from, out of a run's folder."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from reasoning_contract.api import IMAGE_VARIABLE
from reasoning_contract.outcome import Outcome
from reasoning_contract.progress import Progress
from reasoning_contract.report import TrainingStatus
from reasoning_contract.spec import Spec

from ...job import Job
from ...storage.fingerprint import of_text
from ...storage.run_folder import BASE_MODEL, STAGES, RunFolder, StageFolder, read_lines
from ..attempts import read
from ..step_figures import presentable, training_status
from ..versions import versions
from .figures import Figures, HeldOut, Sample

Curves = dict[str, dict[int, TrainingStatus]]
"""Metrics by stage and step."""


def read_curves(folder: RunFolder) -> Curves:
    """Return the metrics that finished stages and last checkpoints hold."""
    return {stage: _curve(_logged(folder.stage(stage))) for stage in STAGES}


def _logged(stage: StageFolder) -> list[dict[str, Any]]:
    if stage.is_done:
        return read_lines(stage.history)
    checkpoints = stage.checkpoints()
    if not checkpoints:
        return []
    state = json.loads((checkpoints[-1][1] / "trainer_state.json").read_text("utf-8"))
    return [entry for entry in state["log_history"] if "train_runtime" not in entry]


def _curve(entries: list[dict[str, Any]]) -> dict[int, TrainingStatus]:
    return {int(entry["step"]): presentable(training_status(entry)) for entry in entries}


def read_figures(job: Job, folder: RunFolder, progress: Progress, curves: Curves, outcome: Outcome | None) -> Figures:
    """Return everything that the page says of a run.

    Parameters
    ----------
    job
        The job, resolved.
    folder
        Its folder: evaluations and the recipe are read.
    progress
        The last report.
    curves
        Metrics so far.
    outcome
        How the attempt ended; None while it runs.
    """
    size = progress.evaluation.held_out.size if progress.evaluation else None
    return Figures(
        name=job.name,
        source=job.spec.model.source,
        progress=progress,
        outcome=outcome,
        curves={stage: sorted(steps.items()) for stage, steps in curves.items()},
        held_out=[each for each in _evaluations(folder.evaluation) if len(each.verdicts) in (size, 0)],
        rows=_rows(folder.path / "recipe.json"),
        attempts=read(folder),
        files=_files(folder.path / BASE_MODEL),
        versions=versions(),
        image=os.environ.get(IMAGE_VARIABLE) or job.spec.pod.image,
        given=_yaml(job.given, exclude_unset=True),
        resolved=_yaml(job.spec),
    )


def _yaml(spec: Spec, *, exclude_unset: bool = False) -> str:
    document = spec.model_dump(by_alias=True, exclude_none=True, exclude_unset=exclude_unset, mode="json")
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True).rstrip()


def _rows(path: Path) -> Mapping[str, Mapping[str, object]]:
    return json.loads(path.read_text("utf-8")).get("rows", {}) if path.exists() else {}


def _files(path: Path) -> Mapping[str, object]:
    """Return how many files the base model has, and a digest of the list of their digests."""
    if not path.exists():
        return {}
    text = path.read_text("utf-8")
    return {"count": len(json.loads(text)), "content": of_text(text)}


def _evaluations(folder: Path) -> Iterator[HeldOut]:
    steps = sorted(int(path.stem.rpartition("-")[2]) for path in folder.glob("reinforce-*.json"))
    for name in ("base", "warmup", *(f"reinforce-{step}" for step in steps), "reinforce"):
        path = folder / f"{name}.json"
        if path.exists():
            yield _evaluation(name, json.loads(path.read_text("utf-8")), read_lines(path.with_suffix(".jsonl")))


def _evaluation(name: str, result: Mapping[str, Any], transcripts: list[dict[str, Any]]) -> HeldOut:
    margins = result.get("margins", ())
    samples = [
        Sample(**{key: each[key] for key in ("prompt", "answer", "completion", "right")}) for each in transcripts
    ]
    return HeldOut(name, result["right"], [margin > 0 for margin in margins], samples)
