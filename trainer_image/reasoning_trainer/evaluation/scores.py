"""What results on the same held-out rows say of the models: scores, gains, and how sure they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import fmean

from reasoning_contract.report import EvaluationStatus, HeldOutStatus, Score
from reasoning_contract.spec import Stage

from .statistics import mcnemar_exact_one_sided, pass_at_k, wilson_interval

DIGITS = 4


@dataclass(frozen=True)
class Result:
    """What a model made of the held-out rows, in their order.

    Attributes
    ----------
    right
        Whether each row was answered rightly, greedy decoding; empty where the rows are pairs without answers.
    formatted
        Whether each completion has its tags in place.
    lengths
        Length of each completion, tokens.
    sampled_right
        How many of the sampled completions of each row are right; empty without pass@k.
    margins
        Log-probability of the chosen completion of each row less that of the rejected one, in nats; empty where the
        rows are no pairs.
    draws
        How many completions of each row were sampled.
    engine
        What generated; empty where nobody kept it.
    """

    right: list[bool]
    formatted: list[bool]
    lengths: list[int]
    sampled_right: list[int]
    margins: list[float] = field(default_factory=list)
    draws: int = 0
    engine: str = ""

    @property
    def preferred(self) -> list[bool]:
        """Whether the chosen completion of each row is the likelier one; empty where there are no pairs."""
        return [margin > 0 for margin in self.margins]


NOTHING = Result(right=[], formatted=[], lengths=[], sampled_right=[])
"""The result of a model that was not evaluated."""


def compare(results: dict[Stage, Result], ks: Sequence[int] = (1,)) -> EvaluationStatus:
    """Return scores, gains and their significance.

    Parameters
    ----------
    results
        Results on the same rows, by model, in the order of training; at least one.
    ks
        ``spec.evaluation.passAtK``.
    """
    last = results[list(results)[-1]]
    base, warmup, final = (results.get(stage, NOTHING) for stage in ("base", "warmup", "reinforce"))
    trained = last if len(results) > 1 else NOTHING
    return EvaluationStatus(
        engine=last.engine or None,
        held_out=HeldOutStatus(size=len(last.lengths), **{stage: score(each, ks) for stage, each in results.items()}),
        final_accuracy=share(last.right),
        improvement=gain(base.right, trained.right),
        p_value=p_value(base.right, trained.right),
        reinforce_improvement=gain(warmup.right, final.right),
        reinforce_p_value=p_value(warmup.right, final.right),
        preferred_improvement=gain(base.preferred, trained.preferred),
        preferred_p_value=p_value(base.preferred, trained.preferred),
    )


def score(result: Result, ks: Sequence[int] = (1,)) -> Score:
    """Return the score of one model."""
    chances = {
        str(k): round(fmean(pass_at_k(result.draws, right, k) for right in result.sampled_right), DIGITS)
        for k in ks
        if result.sampled_right
    }
    return Score(
        accuracy=share(result.right),
        ci95=_interval(result.right),
        format=round(fmean(result.formatted), DIGITS),
        mean_length=round(fmean(result.lengths), 1),
        pass_at_k=chances or None,
        preferred=share(result.preferred),
        margin=round(fmean(result.margins), DIGITS) if result.margins else None,
    )


def share(verdicts: Sequence[bool]) -> float | None:
    """Return the share of the rows that a verdict holds of; None without verdicts."""
    return round(fmean(verdicts), DIGITS) if verdicts else None


def _interval(right: Sequence[bool]) -> list[float] | None:
    return [round(bound, DIGITS) for bound in wilson_interval(sum(right), len(right))] if right else None


def gain(before: Sequence[bool], after: Sequence[bool]) -> float | None:
    """Return by how much the share of rows that a verdict holds of rose; None without verdicts on both sides."""
    return round(fmean(after) - fmean(before), DIGITS) if before and after else None


def p_value(before: Sequence[bool], after: Sequence[bool]) -> float | None:
    """Return p of the one-sided exact McNemar test that `after` is better; None without verdicts on both sides."""
    return float(f"{mcnemar_exact_one_sided(before, after):.3g}") if before and after else None
