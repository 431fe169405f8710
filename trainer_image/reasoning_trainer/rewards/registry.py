"""Which rewards there are."""

from __future__ import annotations

from collections.abc import Callable

from reasoning_contract.exit_codes import ExitCode
from reasoning_contract.spec import ChatTemplate, Reward, RewardParams

from ..errors import TrainerError
from . import correctness, fluency, format, length_penalty
from .batch import Scorer
from .completion import SampleScorer
from .samples import EachSample

BUILTINS: dict[str, Callable[[RewardParams, ChatTemplate], SampleScorer]] = {
    "correctness": correctness.make,
    "fluency": fluency.make,
    "format": format.make,
    "lengthPenalty": length_penalty.make,
}


def make_scorer(reward: Reward, template: ChatTemplate) -> Scorer:
    """Return the scorer of a reward.

    Raises
    ------
    TrainerError
        If it is of a kind that this version cannot compute.
    """
    if reward.builtin is None:
        kind = next(kind for kind in ("python", "http", "model") if getattr(reward, kind) is not None)
        raise TrainerError(
            ExitCode.NOT_SUPPORTED,
            "RewardNotSupported",
            f"reward {reward.name} is of kind {kind}, which this version cannot compute",
            f"use a builtin: {', '.join(BUILTINS)}",
        )
    return EachSample(reward.name, BUILTINS[reward.builtin](reward.params, template))
