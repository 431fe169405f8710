"""Decides between the backends where both could train a job: by the model's size and the memory of the GPU."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from reasoning_contract.gpu_memory import GIB
from reasoning_contract.resolve import Choice, Room, choose, on_backend, resolve

from ..job import Inputs, Job
from ..storage.commits import Commits
from ..storage.model_files import NO_COMMITS, NOT_READ, WEIGHTS, fetch
from ..storage.run_folder import write_atomic
from . import find_gpu


def decided(job: Job, inputs: Inputs, kept: Path | None = None, commits: Commits = NO_COMMITS) -> Job:
    """Return a job with its backend chosen; one whose backend is chosen already is returned as it is.

    Parameters
    ----------
    job
        The job.
    inputs
        Where its model lies.
    kept
        Where the choice of an earlier attempt is kept: checkpoints of one backend are none of another's, and the next
        attempt's GPU may be larger.
    commits
        Commits of the run.

    Raises
    ------
    TrainerError
        If there is no GPU, or the model cannot be fetched.
    """
    if job.spec.backend != "auto":
        return job
    if kept is not None and kept.exists():
        choice = Choice.model_validate_json(kept.read_text("utf-8"))
        return replace(job, spec=resolve(on_backend(job.given, choice.backend)), choice=choice)
    gpu_bytes = find_gpu()
    folder, _ = fetch(job.spec, inputs, (*NOT_READ, WEIGHTS), commits)
    config = folder / "config.json"
    room = Room(json.loads(config.read_text("utf-8")) if config.exists() else {}, gpu_bytes / GIB)
    choice = choose(job.given, room)
    if kept is not None:
        write_atomic(kept, choice.model_dump_json(by_alias=True))
    return replace(job, spec=resolve(job.given, room), choice=choice)
