"""What a reward looks at: one completion with its prompt and reference, and the answer within it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reasoning_contract.spec import Tags

from .brackets import in_pairs

Conversation = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Sample:
    """One completion.

    Attributes
    ----------
    prompt, text
        Prompt and completion as text.
    tokens
        Length of the completion in tokens, its end token included; None where it is not known.
    reference
        The answer that is right, or all that are; None where the row has none.
    """

    text: str
    prompt: str = ""
    tokens: int | None = None
    reference: str | Sequence[str] | None = None


SampleScorer = Callable[[Sample], float | None]
"""The score of a sample; None where it cannot be scored, which is counted and never taken for 0."""
GroupScorer = Callable[[Sequence[Sample]], Sequence[float | None]]
"""The scores of all samples of one prompt, of each as `SampleScorer` says."""


def text_of(value: str | Conversation) -> str:
    """Return a prompt or completion as text; of messages, their contents, a line between two."""
    return value if isinstance(value, str) else "\n".join(str(message["content"]) for message in value)


def final_answer(text: str, reasoning: Tags, answer: Tags) -> str | None:
    """Return the answer that a completion settles on, without the space around it; None where it gives none.

    That is the last closed answer block outside the reasoning: after the last reasoning that was closed, and before one
    that was opened and never closed. So an answer tried out in the reasoning does not count, and of several answers
    only the last does. A bracket that ends a tag is the one that matches. Takes time linear in the text.
    """
    text, (thinks, thought, opens, closes) = in_pairs(text, (reasoning.start, reasoning.end, answer.start, answer.end))
    conclusion = text.rpartition(thought)[2].partition(thinks)[0]
    before_end, end, _ = conclusion.rpartition(closes)
    _, start, block = before_end.rpartition(opens)
    return block.partition(closes)[0].strip() if start and end else None
