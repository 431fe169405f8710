"""The adapter's rank where a spec leaves it open: by what the job learns from, which the spec alone tells."""

from __future__ import annotations

from .rules import Part
from .spec import Spec

_WHY = "an adapter of rank 1 to 32 learns as much as full fine-tuning does (LoRA Without Regret)"


class AdapterRank(Part):
    """A rank that the spec left open."""

    value: int
    """Rank of the adapter's matrices."""
    reason: str
    """Why it was chosen."""


def chosen_rank(spec: Spec) -> AdapterRank | None:
    """Return the rank of a job whose spec leaves it open, and why; None where the spec has one.

    Schulman et al. 2025, "LoRA Without Regret": RL takes in about a bit an episode, for which rank 1 was enough in
    their runs; supervised learning takes in about a bit a token, and falls behind once that is more than the adapter
    holds. docs/signal.md has what was seen here.

    Parameters
    ----------
    spec
        The spec, as given or resolved.
    """
    return None if spec.lora.rank else _chosen(spec)


def _chosen(spec: Spec) -> AdapterRank:
    if not spec.reinforces:
        return AdapterRank(value=64, reason="a warm-up alone: supervised learning takes in more than RL does")
    if spec.warms_up:
        return AdapterRank(value=32, reason="a warm-up before it: supervised learning takes in more than RL does")
    learning = "preference optimisation" if spec.prefers else "RL"
    return AdapterRank(value=16, reason=f"{learning} alone, for which {_WHY}")


def rank_of(spec: Spec) -> int:
    """Return the rank of a job, chosen where its spec leaves it open."""
    return spec.lora.rank or _chosen(spec).value
