"""How often a model solves rows: what is counted, which rows RL asks, and what is said of it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from statistics import fmean
from typing import Any

from reasoning_contract.exit_codes import ExitCode
from reasoning_contract.spec import Difficulty

from ..guards.verdict import Verdict

NEVER, ALWAYS = "never", "always"
PARTS = {"0-25%": 0.25, "25-50%": 0.5, "50-75%": 0.75, "75-100%": 1.0}
"""Parts of the histogram between those two, with the share at which each ends."""
NEARLY_ALL = 0.9
"""Share of the rows from which on the rest hardly counts."""
MOSTLY_CUT = 0.5
"""Share of completions that are cut from which on that is why they are wrong."""
ROUNDING = 1e-9


@dataclass(frozen=True)
class Tally:
    """What became of the completions of a row.

    Attributes
    ----------
    row
        Its number in train, from 0.
    right
        How many were right.
    judged
        How many could be judged at all.
    cut
        How many were cut at their longest length.
    """

    row: int
    right: int
    judged: int
    cut: int = 0

    @property
    def share(self) -> float | None:
        """Share of right ones; None where none could be judged."""
        return self.right / self.judged if self.judged else None

    def is_within(self, settings: Difficulty) -> bool:
        """Whether RL asks the row: what could not be judged is not known to be too easy or too hard."""
        if self.share is None:
            return True
        low, high = settings.min or 0.0, 1.0 if settings.max is None else settings.max
        return low - ROUNDING <= self.share <= high + ROUNDING


def measured_rows(rows: int, settings: Difficulty, seed: int) -> list[int]:
    """Return the numbers of the rows that are measured, of so many, in their order."""
    return sorted(Random(seed).sample(range(rows), min(rows, settings.rows)))


def histogram(tallies: Sequence[Tally]) -> dict[str, int]:
    """Return how many rows were solved never, always, and in each part between; without what could not be judged."""
    counts = dict.fromkeys((NEVER, *PARTS, ALWAYS), 0)
    for tally in tallies:
        if tally.judged:
            counts[_part(tally)] += 1
    return counts


def _part(tally: Tally) -> str:
    if tally.right in (0, tally.judged):
        return ALWAYS if tally.right else NEVER
    share = tally.right / tally.judged
    return next(name for name, end in PARTS.items() if share < end)


def mean_share(tallies: Sequence[Tally]) -> float | None:
    """Return the mean share of right completions of a row; None where none could be judged."""
    shares = [tally.share for tally in tallies if tally.share is not None]
    return fmean(shares) if shares else None


def told(tallies: Sequence[Tally]) -> str:
    """Return the histogram in words."""
    counts = histogram(tallies)
    judged = sum(counts.values())
    between = ", ".join(f"{count} at {name}" for name, count in counts.items() if name in PARTS and count)
    text = f"of {judged} rows, {counts[NEVER]} were never solved and {counts[ALWAYS]} always"
    text += f", the others in part ({between})" if between else ""
    unjudged = len(tallies) - judged
    return text + (f"; of {unjudged} more, no completion could be judged" if unjudged else "")


def judge_difficulty(tallies: Sequence[Tally], settings: Difficulty) -> Verdict:
    """Judge whether the rows that RL asks teach the model anything.

    Parameters
    ----------
    tallies
        What was measured.
    settings
        ``spec.data.difficulty``: rows that it sets aside are no burden, so only what is left is judged.
    """
    judged = [tally for tally in tallies if tally.judged]
    figures = told(tallies)
    if not judged:
        advice = "mend the answers of those rows, or leave them out by data.unjudgeable: drop"
        return _warning("RowsUnjudged", f"no completion could be judged: {figures}", advice)
    left = [tally for tally in judged if tally.is_within(settings)] or judged
    counts = histogram(left)
    never, always = (counts[name] / len(left) for name in (NEVER, ALWAYS))
    if never + always < NEARLY_ALL:
        return Verdict(figures)
    cut = sum(tally.cut for tally in left) / (settings.samples * len(left))
    reason, message, advice = _finding(never, always, cut)
    return _warning(reason, f"{message}: {figures}", advice)


def _warning(reason: str, message: str, hint: str) -> Verdict:
    return Verdict.against(ExitCode.NOT_LEARNING, reason, message, hint, "warn")


def _finding(never: float, always: float, cut: float) -> tuple[str, str, str]:
    """Return reason, finding and advice where nearly all rows are solved never or always."""
    if never >= NEARLY_ALL and cut >= MOSTLY_CUT:
        why = f"{cut:.0%} of the completions are cut at reinforce.maxCompletionLength, and nearly no row is solved"
        return "RowsTooHard", why, "raise reinforce.maxCompletionLength"
    if never >= NEARLY_ALL:
        advice = (
            "give easier rows, warm the model up on worked ones (data.warmup), take a larger model, lower "
            "reinforce.temperature, or set such rows aside: data.difficulty.min"
        )
        return "RowsTooHard", "the model solves nearly no row, and rewards that are all alike teach nothing", advice
    if always >= NEARLY_ALL:
        advice = "give harder rows, raise reinforce.temperature, or set such rows aside: data.difficulty.max"
        return "RowsTooEasy", "the model solves nearly every row already, and what it can do is not learned", advice
    advice = (
        "set both aside (data.difficulty.min and max), give rows between them, or raise reinforce.temperature and "
        "numGenerations"
    )
    message = "nearly every row is solved always or never, and rewards that are all alike teach nothing"
    return "RowsAllOrNothing", message, advice


def nothing_left(tallies: Sequence[Tally], settings: Difficulty) -> tuple[str, str]:
    """Return what is said, and advised, where every row of train is set aside."""
    bounds: dict[str, Any] = settings.model_dump(include={"min", "max"}, exclude_none=True)
    asked = " and ".join(f"{name} {value:g}" for name, value in bounds.items())
    message = f"data.difficulty sets every row of data.train aside ({asked}): {told(tallies)}"
    return message, "widen data.difficulty.min and max, or give rows that the model solves in part"
