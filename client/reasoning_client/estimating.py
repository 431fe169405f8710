"""What a job will take, as far as its manifest tells: memory of a GPU, steps, completions and hours. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from reasoning_contract.resolve import resolve
from reasoning_contract.spec import GROUPED, PREFERENCE, Spec

DEFAULT_STEPS = 250
Figures = dict[str, str]


@dataclass(frozen=True)
class Volume:
    """How much a job will generate and learn from.

    Attributes
    ----------
    steps
        Updates by RL or preference optimisation; None where epochs count and the rows are not in the manifest.
    completions
        Completions, or pairs, of all steps.
    tokens
        Tokens of prompts and completions of all steps, at the most.
    """

    steps: int | None
    completions: int | None
    tokens: int | None


def volume(given: Spec) -> Volume:
    """Return how much a job generates and learns from."""
    spec = resolve(given)
    reinforce = spec.reinforce
    if reinforce.algorithm == "none":
        return Volume(0, 0, 0)
    a_step = reinforce.batch_size * reinforce.gradient_accumulation
    steps = _steps(spec, a_step)
    if steps is None:
        return Volume(None, None, None)
    # what one batch of completions is updated with several times is generated once
    generated = steps * a_step
    longest = (
        2 * spec.model.max_sequence_length
        if reinforce.algorithm in PREFERENCE
        else (reinforce.max_prompt_length or 0) + reinforce.max_completion_length
    )
    return Volume(steps, generated, generated * longest)


def _steps(spec: Spec, a_step: int) -> int | None:
    reinforce = spec.reinforce
    if reinforce.epochs is None:
        return reinforce.steps or DEFAULT_STEPS
    rows = _rows(spec)
    if rows is None:
        return None
    prompts = a_step // reinforce.num_generations if reinforce.algorithm in GROUPED else a_step
    return math.ceil(reinforce.epochs * rows / max(prompts, 1))


def _rows(spec: Spec) -> int | None:
    """Return how many rows are trained on, where the manifest says so."""
    train = spec.data.train
    if train.limit:
        return train.limit
    if train.rows is not None:
        return len(train.rows)
    return train.reasoning_gym.size if train.reasoning_gym else None


def figures(spec: Spec, step_seconds: float | None, price: float | None) -> Figures:
    """Return what can be said of the time that a job takes.

    Parameters
    ----------
    spec
        The spec as given.
    step_seconds
        Seconds of a step, measured on such a GPU: of another job, its `status.progress.stepSeconds`.
    price
        Price of a GPU-hour.
    """
    return dict(_figures(spec, volume(spec), step_seconds, price))


def _figures(spec: Spec, counted: Volume, step_seconds: float | None, price: float | None) -> Iterator[tuple[str, str]]:
    if counted.steps is None:
        yield "steps", "not known: reinforce.epochs counts rows that the manifest does not hold"
        return
    yield "steps", f"{counted.steps:,}"
    yield "completions", f"{counted.completions:,}"
    if difficulty := spec.data.difficulty:
        yield "completions before RL, at the most", f"{difficulty.rows * difficulty.samples:,}"
    yield "tokens, at the most", f"{counted.tokens:,}"
    if step_seconds is None:
        yield "hours", "not known: give --step-seconds, from a job like it (status.progress.stepSeconds)"
        return
    hours = counted.steps * step_seconds / 3600
    gpus = spec.parallelism.nodes * spec.parallelism.gpus_per_node
    yield "hours of RL", f"{hours:.2f}"
    if gpus:
        yield "GPU-hours of RL", f"{hours * gpus:.2f}"
        if price is not None:
            yield "price of RL", f"{hours * gpus * price:.2f}"
    if spec.limits.gpu_hours is not None and gpus and hours * gpus > spec.limits.gpu_hours:
        yield "limits.gpuHours", f"{spec.limits.gpu_hours:g}: the budget ends before the last step"
