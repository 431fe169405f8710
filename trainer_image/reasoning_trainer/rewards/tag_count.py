"""Reward for tags that are there once, wherever they stand."""

from __future__ import annotations

from reasoning_contract.spec import ChatTemplate, RewardParams

from .brackets import in_pairs
from .completion import SampleScorer
from .format import tags_in_order


def make(params: RewardParams, template: ChatTemplate) -> SampleScorer:
    """Return the scorer for the job's four tags."""
    tags = tags_in_order(template)
    return lambda sample: tag_count(sample.text, tags)


def tag_count(text: str, tags: tuple[str, ...]) -> float:
    """Return the share of the tags that occur exactly once, in [0, 1].

    The tag count of huggingface/open-r1 (``rewards.py``), which gives a quarter for each of four tags; unlike
    `soft_format` it asks for no order.
    """
    text, tags = in_pairs(text, tags)
    return sum(text.count(tag) == 1 for tag in tags) / len(tags)
