"""The largest step of a stage: how many sequences it goes through at once, and how it is made smaller. Pure."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from .rules import Part
from .spec import Spec

TrainedStage = Literal["warmup", "reinforce"]


class LargestStep(Part):
    """What the largest step of a stage took when it was tried, before anything was spent."""

    batch_size: int
    """Sequences a forward pass that fit."""
    gradient_accumulation: int
    """Forward passes an update."""
    tokens: int
    """Tokens of a sequence: the longest row, in RL the longest prompt and maxCompletionLength."""
    peak_gi_b: float | None = Field(default=None, alias="peakGiB")
    """Most that PyTorch held of the GPU's memory meanwhile, GiB."""
    message: str
    """What was tried, and what was halved for it to fit."""


def sizes(spec: Spec, stage: TrainedStage) -> tuple[int, int]:
    """Return the sequences of a forward pass and the forward passes of an update."""
    part = spec.warmup if stage == "warmup" else spec.reinforce
    return part.batch_size, part.gradient_accumulation


def with_sizes(spec: Spec, stage: TrainedStage, batch_size: int, gradient_accumulation: int) -> Spec:
    """Return a spec with other sizes of a stage."""
    changes = {"batch_size": batch_size, "gradient_accumulation": gradient_accumulation}
    return spec.model_copy(update={stage: getattr(spec, stage).model_copy(update=changes)})


def halved(spec: Spec, stage: TrainedStage) -> Spec | None:
    """Return a spec whose forward passes are half as large, and as many more that an update is of the same sequences.

    A size that is odd is divided by its smallest divisor. None if it cannot be divided, or is not to be.
    """
    batch, accumulation = sizes(spec, stage)
    if spec.guards.largest_step.action != "halve" or batch == 1:
        return None
    divisor = next(each for each in range(2, batch + 1) if batch % each == 0)
    return with_sizes(spec, stage, batch // divisor, accumulation * divisor)


def is_tried(spec: Spec) -> bool:
    """Whether the largest steps are tried.

    Not on a CPU, whose memory is not refused, but ends the process that asks for it; and not by backend unsloth: its
    trainers keep in the environment what a step is at, and one beside the run's was not seen on a GPU yet.
    """
    wanted = spec.guards.largest_step.action != "off" and spec.backend != "unsloth"
    return wanted and spec.parallelism.gpus_per_node > 0
