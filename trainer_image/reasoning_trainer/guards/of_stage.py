"""Which guards look at the steps of a stage."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from reasoning_contract.report import RunStage
from reasoning_contract.spec import GROUPED, Spec

from .clipped import ClippedGuard
from .entropy import EntropyGuard
from .kl import KLGuard
from .learning_signal import LearningSignalGuard
from .reward_hacking import RewardHackingGuard
from .step_guard import StepGuard


def verifiable_reward(spec: Spec) -> str | None:
    """Return the name of the reward that says whether an answer is right; None if the job has none."""
    return next((reward.name for reward in spec.rewards if reward.builtin == "correctness"), None)


def guards_of(spec: Spec, stage: RunStage) -> Sequence[StepGuard[Any]]:
    """Return the guards of a stage; none of a warm-up, whose completions are not the policy's own.

    Parameters
    ----------
    spec
        A resolved spec.
    stage
        The stage that is trained.
    """
    algorithm, guards, right = spec.reinforce.algorithm, spec.guards, verifiable_reward(spec)
    if stage != "reinforce" or algorithm not in (*GROUPED, "PPO"):
        return ()
    entropy = EntropyGuard(guards.entropy, right)
    if algorithm == "PPO":  # its divergence is that of a whole completion, and it tells no more
        return (entropy,)
    others = {reward.name: reward.weight for reward in spec.rewards if reward.name != right}
    return (
        LearningSignalGuard(guards.learning_signal, right),
        KLGuard(guards.kl),
        entropy,
        ClippedGuard(guards.clipped),
        RewardHackingGuard(guards.reward_hacking, right, others),
    )
