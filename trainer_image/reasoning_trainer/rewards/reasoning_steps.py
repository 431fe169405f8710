"""Reward for reasoning that is set out in steps."""

from __future__ import annotations

import re

from reasoning_contract.spec import ChatTemplate, RewardParams

from .completion import SampleScorer

DEFAULT_STEPS = 3
SENTENCE = re.compile(r"\n|(?<=[^\W\d][.!?;])\s")
STEP = re.compile(
    r"(?:step\s{1,4}\d{1,3}\s?[:.)]|\d{1,3}[.)]\s|[-*\u2022]\s|(?:first|second|third|next|then|finally)(?:ly)?,)[\s*_]{0,4}\w",
    re.IGNORECASE,
)


def make(params: RewardParams, template: ChatTemplate) -> SampleScorer:
    """Return the scorer; what stands after the answer's tag is no reasoning."""
    wanted, answer = params.steps or DEFAULT_STEPS, template.answer_tags.start
    return lambda sample: reasoning_steps(sample.text.partition(answer)[0], wanted)


def reasoning_steps(text: str, wanted: int = DEFAULT_STEPS) -> float:
    """Return how many of the wanted steps the text sets out, in [0, 1].

    ``min(1, steps / wanted)``, after the reasoning steps reward of huggingface/open-r1: a step is a line or sentence
    that begins with a number, a bullet, `Step 2:` or a word of order (First, Next, Finally ...) and says something. One
    that is written twice counts once.
    """
    begun = (sentence.strip() for sentence in SENTENCE.split(text))
    return min(1.0, len({each.casefold() for each in begun if STEP.match(each)}) / wanted)
