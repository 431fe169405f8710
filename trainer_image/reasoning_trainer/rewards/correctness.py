"""Reward for the right answer."""

from __future__ import annotations

import re
from collections.abc import Callable

from reasoning_contract.spec import ChatTemplate, RewardParams

from .completion import Sample, SampleScorer, final_answer
from .math_judge import MathJudge
from .numbers import read_number, states_number

DEFAULT_PARSER = "math"
Comparison = Callable[[str, str], bool | None]
"""(reference, answer) -> whether the answer is right; None if that cannot be told."""

MATHEMATICS = re.compile(r"[\d\\^+*/=<>()\[\]{}|]")
WRAPPERS = ("\\boxed{", "\\text{", "\\mathrm{", "\\textbf{")
MAX_LENGTH = 200
"""Characters of an answer that is still compared as an expression, or thrice the reference's: more is an essay."""


def make(params: RewardParams, template: ChatTemplate) -> SampleScorer:
    """Return the scorer: 1 for the right answer, 0 for a wrong one or none, None where the reference cannot be judged.

    The answer is what `final_answer` finds; how it is compared is ``params.parser``.
    """
    return Correctness(PARSERS[params.parser or DEFAULT_PARSER](), template)


class Correctness:
    """Compares a completion's answer with its reference. See `make`."""

    def __init__(self, compare: Comparison, template: ChatTemplate) -> None:
        self._compare, self._template = compare, template

    def __call__(self, sample: Sample) -> float | None:
        """Score a completion."""
        if not sample.reference:
            return None
        answer = final_answer(sample.text, self._template.reasoning_tags, self._template.answer_tags)
        if not answer:
            return 0.0
        right = self._compare(sample.reference, answer)
        return None if right is None else float(right)

    def close(self) -> None:
        """End the process that compares expressions, if there is one."""
        if isinstance(self._compare, MathComparison):
            self._compare.close()


def compare_text(reference: str, answer: str) -> bool:
    """Return whether the two are the same text, white space aside."""
    return reference.split() == answer.split()


def compare_number(reference: str, answer: str) -> bool | None:
    """Return whether the answer states the reference's number (see `read_number`); None if the reference has none."""
    number = read_number(reference)
    return None if number is None else states_number(answer, number)


class MathComparison:
    """Compares by value: numbers exactly, words as words, all else as expressions by math-verify.

    math-verify alone would take ``24*3`` for 72 and so the question for its answer, and ``act`` for ``cat``; so it is
    asked only about references that are neither number nor words.
    """

    def __init__(self) -> None:
        self._judge = MathJudge()

    def __call__(self, reference: str, answer: str) -> bool | None:
        """Compare; None if the reference is no mathematics, or the comparison took too long."""
        if _bare(reference) == _bare(answer):
            return True
        number = read_number(reference, bare=True)
        if number is not None:
            return states_number(answer, number)
        if not MATHEMATICS.search(reference) or len(answer) > max(MAX_LENGTH, 3 * len(reference)):
            return False
        return self._judge.same(reference, answer)

    def close(self) -> None:
        """End the worker process, if there is one."""
        self._judge.stop()


def _bare(text: str) -> str:
    """Return the text without case, white space, and LaTeX or full stop around it."""
    bare = "".join(text.casefold().split()).rstrip(".").strip("$")
    wrapper = next(filter(bare.startswith, WRAPPERS), "")
    wraps_all = wrapper and bare.find("}") == len(bare) - 1
    return bare[len(wrapper) : -1] if wraps_all else bare


PARSERS: dict[str, Callable[[], Comparison]] = {
    "math": MathComparison,
    "number": lambda: compare_number,
    "exact": lambda: compare_text,
}
