"""Reward for the right answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from reasoning_contract.spec import ChatTemplate, RewardParams

from .completion import Sample, SampleScorer, final_answer
from .judge import same_choice, same_mathematics, same_number, same_pattern, same_text

DEFAULT_PARSER = "math"
Comparison = Callable[[str, str], bool | None]
"""(reference, answer) -> whether the answer is right; None if the reference is none that it can compare with."""

PARSERS: dict[str, Comparison] = {
    "math": same_mathematics,
    "number": same_number,
    "choice": same_choice,
    "pattern": same_pattern,
    "exact": same_text,
}


def make(params: RewardParams, template: ChatTemplate) -> SampleScorer:
    """Return the scorer: 1 for the right answer, 0 for a wrong one or none, None where the reference cannot be judged.

    The answer is what `final_answer` finds; how it is compared is ``params.parser``.
    """
    compare = PARSERS[params.parser or DEFAULT_PARSER]

    def score(sample: Sample) -> float | None:
        if not sample.reference:
            return None
        answer = final_answer(sample.text, template.reasoning_tags, template.answer_tags)
        if not answer:
            return 0.0
        right = compare_any(compare, sample.reference, answer)
        return None if right is None else float(right)

    return score


def compare_any(compare: Comparison, references: str | Sequence[str], answer: str) -> bool | None:
    """Return whether the answer is one of those that are accepted; None if none of them can be compared with."""
    accepted = [references] if isinstance(references, str) else references
    verdicts = [compare(reference, answer) for reference in accepted]
    return None if all(verdict is None for verdict in verdicts) else any(verdicts)
