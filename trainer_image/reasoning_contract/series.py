"""Names of a job's Prometheus series: the operator and the training pod serve the same figures under the same names.

Prometheus' conventions: base units (seconds, bytes, ratios from 0 to 1), the unit last, `_total` for what only rises.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

PREFIX = "reasoning_job_"
MODELS = ("base", "warmup", "reinforce")
GIB = 2.0**30
PERCENT = 0.01


@dataclass(frozen=True)
class Series:
    """A figure of a job's report, as Prometheus knows it.

    Attributes
    ----------
    name
        Name without the prefix.
    text
        What it says.
    place
        Where it stands in the report: names of fields, joined by dots; ``*`` stands for each model in turn.
    label
        Label that tells its values apart, where it has several.
    unit
        What a figure of the report is multiplied by.
    counter
        Whether it only rises, within an attempt at least.
    """

    name: str
    text: str
    place: str
    label: str = ""
    unit: float = 1.0
    counter: bool = False

    @property
    def full_name(self) -> str:
        """Name of the series at Prometheus."""
        return f"{PREFIX}{self.name}{'_total' if self.counter else ''}"


SERIES = (
    Series("stage", "1 for the stage that is running.", "stage", label="stage"),
    Series("progress_ratio", "Share of the run's expected time that is done.", "progress.percent", unit=PERCENT),
    Series("step", "Steps done in the stage that runs.", "progress.step"),
    Series("steps", "Steps that the stage has.", "progress.total_steps"),
    Series("step_seconds", "Median duration of a step, over the last 20.", "progress.step_seconds"),
    Series("remaining_seconds", "Time to the end of the run.", "progress.eta_seconds"),
    Series("loss", "Loss of the last step.", "training.loss"),
    Series("learning_rate", "Learning rate of the last step.", "training.learning_rate"),
    Series("gradient_norm", "Norm of the gradient before clipping.", "training.grad_norm"),
    Series("reward", "Mean weighted sum of the rewards in the last step.", "training.reward"),
    Series("reward_std", "Mean over groups of the reward's standard deviation.", "training.reward_std"),
    Series("reward_part", "Mean of one reward function, unweighted.", "training.rewards", label="reward"),
    Series(
        "unscored_completions",
        "Completions that a reward function could not score.",
        "training.unscored",
        label="reward",
        counter=True,
    ),
    Series(
        "zero_spread_ratio",
        "Share of groups whose completions all got the same reward: they teach nothing.",
        "training.zero_variance_share",
    ),
    Series(
        "sampled_zero_spread_ratio",
        "The same share of all groups that were sampled, before those were replaced.",
        "training.sampled_zero_variance_share",
    ),
    Series(
        "difficulty_rows",
        "Rows of train by the share of their completions that were right before RL.",
        "difficulty.histogram",
        label="right",
    ),
    Series("completions", "Completions that RL has taken.", "training.completions", counter=True),
    Series("replaced_groups", "Groups of the last step that come from other rows.", "training.groups_replaced"),
    Series("retired_rows", "Rows that are solved and not asked again.", "training.rows_retired"),
    Series("kl_nats", "KL divergence from the reference model.", "training.kl"),
    Series("entropy_nats", "Mean entropy of the policy's next token.", "training.entropy"),
    Series(
        "importance_ratio",
        "Mean ratio of the trainer's to the engine's probability of what was sampled.",
        "training.importance_ratio",
    ),
    Series("completion_tokens", "Mean length of a completion.", "training.completion_length"),
    Series("clipped_ratio", "Share of completions cut at maxCompletionLength.", "training.clipped_share"),
    Series("tokens_per_second", "Prompt and completion tokens processed a second.", "training.tokens_per_second"),
    Series("gpu_memory_bytes", "Most that the process had of the GPU's memory.", "training.gpu_memory_gi_b", unit=GIB),
    Series("gpu_busy_ratio", "Share of the step in which the GPU computed.", "training.gpu_use_percent", unit=PERCENT),
    Series("memory_peak_bytes", "Most that the trainer has held of the host's memory.", "memory.peak_gi_b", unit=GIB),
    Series("memory_limit_bytes", "Most that it may hold of the host's memory.", "memory.limit_gi_b", unit=GIB),
    Series("held_out_rows", "Rows that every model is evaluated on.", "evaluation.held_out.size"),
    Series(
        "held_out_accuracy", "Share of held-out rows answered rightly.", "evaluation.held_out.*.accuracy", label="model"
    ),
    Series(
        "held_out_accuracy_low",
        "Lower end of the accuracy's 95% interval.",
        "evaluation.held_out.*.ci95.0",
        label="model",
    ),
    Series(
        "held_out_accuracy_high",
        "Upper end of the accuracy's 95% interval.",
        "evaluation.held_out.*.ci95.1",
        label="model",
    ),
    Series(
        "held_out_preferred",
        "Share of held-out pairs whose chosen completion is the likelier one.",
        "evaluation.held_out.*.preferred",
        label="model",
    ),
)
"""What a run says of itself, from `/progress` or from the status, whose fields have the same names."""


def figures(report: object) -> Iterator[tuple[Series, str, float]]:
    """Yield what a report has of the series.

    Parameters
    ----------
    report
        A `Progress` or a `Status`.

    Yields
    ------
    tuple
        The series, the value of its label (empty without one), and the figure in the series' unit.
    """
    for series in SERIES:
        for label, value in _values(report, series.place.split("."), ""):
            yield series, label, value * series.unit


def _values(at: Any, names: Sequence[str], label: str) -> Iterator[tuple[str, float]]:
    if at is None:
        return
    if names and names[0] == "*":
        for model in MODELS:
            yield from _values(getattr(at, model), names[1:], model)
    elif names:
        yield from _values(at[int(names[0])] if names[0].isdigit() else getattr(at, names[0]), names[1:], label)
    elif isinstance(at, Mapping):
        yield from ((str(key), float(value)) for key, value in at.items())
    else:
        yield (at, 1.0) if isinstance(at, str) else (label, float(at))
