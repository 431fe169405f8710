"""Decides between the backends where both could train a job: by the model's size and the memory of the GPU."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from reasoning_contract.choice import Choice, on_backend
from reasoning_contract.resolve import resolve
from reasoning_contract.spec import Spec

from ..job import Inputs, Job
from ..rewards import Surroundings
from ..storage.commits import Commits
from ..storage.hub_models import NO_COMMITS, NOT_READ
from ..storage.model_files import WEIGHTS, fetch
from ..storage.run_folder import write_atomic
from . import find_gpu
from .gpu_memory import GIB, UnknownShapeError, estimate, fits
from .reward_memory import on_gpu, reward_models_gib


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
        first = Choice.model_validate_json(kept.read_text("utf-8"))
        return _with(job, on_backend(job.given, first.backend, first.reason))
    gpu_gib = find_gpu() / GIB
    folder, _ = fetch(job.spec, inputs, (*NOT_READ, WEIGHTS), commits)
    around = Surroundings.of(job.spec, inputs.locate, print, commits)
    configs = {
        name: _config(around.fetch_model(name, model, (*NOT_READ, WEIGHTS))) for name, model in on_gpu(job.spec).items()
    }
    backend, reason = by_memory(job.given, _config(folder), gpu_gib, configs)
    choice = on_backend(job.given, backend, reason)
    if kept is not None:
        write_atomic(kept, choice.model_dump_json(by_alias=True))
    return _with(job, choice)


def _config(folder: Path) -> dict[str, Any]:
    path = folder / "config.json"
    found = json.loads(path.read_text("utf-8")) if path.exists() else {}
    return found if isinstance(found, dict) else {}


def _with(job: Job, choice: Choice) -> Job:
    return replace(job, spec=resolve(job.given, choice), choice=choice)


def by_memory(
    given: Spec, config: Mapping[str, Any], gpu_gib: float, of_rewards: Mapping[str, Mapping[str, Any]] | None = None
) -> tuple[str, str]:
    """Return the faster backend if the job fits, and why.

    TRL's steps with vLLM took half the time of Unsloth's, or less; docs/benchmarks.md has the figures.

    Parameters
    ----------
    given
        A job that both backends could train.
    config
        The model's config.json.
    gpu_gib
        Memory of the GPU, GiB.
    of_rewards
        The config.json of reward models that score on the GPU too, by the names of their rewards.
    """
    whole = resolve(given, on_backend(given, "transformers", ""))
    try:
        rewards = reward_models_gib(given, of_rewards or {})
        needed = estimate(whole, config, gpu_gib, rewards)
    except UnknownShapeError as error:
        return "unsloth", f"unsloth needs the least memory, and how much the job takes is not known: {error}"
    with_rewards = f", {rewards:.1f} of them for reward models" if rewards else ""
    found = f"in 16 bits it takes {needed.total:.1f} of {gpu_gib:.1f} GiB by estimate{with_rewards}"
    if fits(whole, config, gpu_gib, rewards):
        return "transformers", f"{found}, and its steps are faster than unsloth's"
    return "unsloth", f"{found}, or vLLM's share is too small for it: unsloth needs the least memory"
