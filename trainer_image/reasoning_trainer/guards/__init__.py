"""Guards: what stops a run that is not worth its GPU, or warns of it.

Everything here is decided from the figures it is given; acting on a verdict is up to whoever asks.
"""

from .budget import judge_budget
from .clipped import ClippedGuard
from .divergence import judge_divergence
from .entropy import EntropyGuard
from .kl import KLGuard
from .learning_signal import LearningSignalGuard
from .of_stage import guards_of, verifiable_reward
from .reward_hacking import RewardHackingGuard
from .step_guard import StepGuard
from .unscored import UnscoredGuard
from .verdict import Verdict

__all__ = [
    "ClippedGuard",
    "EntropyGuard",
    "KLGuard",
    "LearningSignalGuard",
    "RewardHackingGuard",
    "StepGuard",
    "UnscoredGuard",
    "Verdict",
    "guards_of",
    "judge_budget",
    "judge_divergence",
    "verifiable_reward",
]
