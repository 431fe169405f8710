"""Weights of rewards that change over the steps of the training."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from reasoning_contract.spec import Reward, WeightPoint


def weight_at(reward: Reward, step: int) -> float:
    """Return a reward's weight for completions that are generated after so many steps.

    It begins with ``weight`` at step 0, goes in a straight line from each point of ``weightSchedule`` to the next, and
    stays at the last one's. It follows from the step alone, so a resumed run has the weights of one that never stopped.

    Parameters
    ----------
    reward
        The reward.
    step
        Steps of the optimizer that were made.
    """
    points: list[WeightPoint] = [WeightPoint(step=0, weight=reward.weight), *(reward.weight_schedule or ())]
    for before, after in pairwise(points):
        if step < after.step:
            share = (step - before.step) / (after.step - before.step)
            return before.weight + share * (after.weight - before.weight)
    return points[-1].weight


def weights_at(rewards: Sequence[Reward], step: int) -> list[float]:
    """Return the weights of all rewards, in their order; see `weight_at`."""
    return [weight_at(reward, step) for reward in rewards]
