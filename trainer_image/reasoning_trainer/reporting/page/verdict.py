"""What came of a run, in one sentence."""

from __future__ import annotations

from reasoning_contract.exit_codes import ExitCode
from reasoning_contract.report import EvaluationStatus

from .figures import Figures

SIGNIFICANT = 0.05
"""p below which a gain is called one."""


def verdict(figures: Figures) -> str:
    """Return the sentence: how the attempt ended, or how far it is, and what the held-out rows say."""
    progress, outcome = figures.progress, figures.outcome
    gain = _gain(progress.evaluation)
    if outcome is None:
        so_far = f" So far: {gain[0].lower()}{gain[1:]}" if gain else ""
        return f"Running, {progress.stage} at {progress.progress.display}.{so_far}"
    if outcome.exit_code != ExitCode.DONE:
        return f"Attempt {progress.attempt} ended: {outcome.reason}: {outcome.message}."
    return gain or "The adapter is trained; no held-out rows say whether it is better than the base."


def tone(figures: Figures) -> str:
    """Return what the sentence is: `running`, `bad`, `good` or, where no gain is shown, `open`."""
    if figures.outcome is None:
        return "running"
    if figures.outcome.exit_code != ExitCode.DONE:
        return "bad"
    evaluation = figures.progress.evaluation
    p = None if evaluation is None else _first(evaluation.p_value, evaluation.preferred_p_value)
    return "good" if p is not None and p < SIGNIFICANT else "open"


def percent(share: float | None) -> str:
    """Return a share as people read it."""
    return "" if share is None else f"{100 * share:.1f}%"


def _gain(evaluation: EvaluationStatus | None) -> str:
    if evaluation is None:
        return ""
    rows = f"of {evaluation.held_out.size} held-out rows"
    base, last = evaluation.held_out.base, evaluation.held_out.last
    gain = _first(evaluation.improvement, evaluation.preferred_improvement)
    p = _first(evaluation.p_value, evaluation.preferred_p_value)
    if base is None or last is None or gain is None or p is None:
        return ""
    if evaluation.improvement is None:
        told = f"The trained model prefers the chosen completion in {percent(last.preferred)} {rows}, the base in "
        before = percent(base.preferred)
    else:
        told = f"The trained model answers {percent(last.accuracy)} {rows} rightly, the base "
        before = percent(base.accuracy)
    sure = "better, and hardly by chance" if p < SIGNIFICANT else "not shown to be better"
    of_rl = _of_reinforce(evaluation)
    return f"{told}{before}: {sure} (one-sided exact McNemar test, p = {p:.2g}){of_rl}."


def _of_reinforce(evaluation: EvaluationStatus) -> str:
    """Say what RL alone did: a gain over the base may be the warm-up's, and RL have lost of it."""
    gain, p = evaluation.reinforce_improvement, evaluation.reinforce_p_value
    if gain is None or p is None:
        return ""
    if gain < 0:
        return f"; RL lost {100 * -gain:.1f} points of what the warm-up had reached"
    return f"; RL alone gained {100 * gain:.1f} points over the warm-up (p = {p:.2g})"


def _first(*values: float | None) -> float | None:
    return next((value for value in values if value is not None), None)
