"""Reward for reasoning and answer in their tags."""

from __future__ import annotations

from reasoning_contract.spec import ChatTemplate, RewardParams

from .brackets import in_pairs
from .completion import SampleScorer


def make(params: RewardParams, template: ChatTemplate) -> SampleScorer:
    """Return the scorer: `strict_format` if ``params.strict``, else `soft_format`."""
    tags = tags_in_order(template)
    if params.strict:
        return lambda sample: float(strict_format(sample.text, tags))
    return lambda sample: soft_format(sample.text, tags)


def tags_in_order(template: ChatTemplate) -> tuple[str, ...]:
    """Return the four tags in the order in which a completion should have them."""
    reasoning, answer = template.reasoning_tags, template.answer_tags
    return reasoning.start, reasoning.end, answer.start, answer.end


def soft_format(text: str, tags: tuple[str, ...]) -> float:
    """Return the share of the tags that are in place, in [0, 1].

    A tag is in place if it occurs exactly once, and after every earlier tag that occurs exactly once. Repeating a tag
    so loses its share instead of earning another.
    """
    text, tags = in_pairs(text, tags)
    in_place, reached = 0, -1
    for tag in tags:
        position = text.find(tag)
        if position < 0 or text.find(tag, position + 1) >= 0:
            continue
        in_place += position > reached
        reached = max(reached, position)
    return in_place / len(tags)


def strict_format(text: str, tags: tuple[str, ...]) -> bool:
    """Return whether the text is reasoning and answer, each once in its tags and not blank, and nothing else."""
    text, tags = in_pairs(text, tags)
    if any(text.count(tag) != 1 for tag in tags):
        return False
    rest, parts = text, []
    for tag in tags:
        part, found, rest = rest.partition(tag)
        if not found:  # it stands before an earlier tag
            return False
        parts.append(part)
    before, reasoning, between, answer = (part.strip() for part in parts)
    return bool(reasoning and answer) and not (before or between or rest.strip())
