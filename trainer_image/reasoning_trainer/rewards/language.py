"""Reward for reasoning in one language, told by its script."""

from __future__ import annotations

import re
from collections.abc import Collection

from reasoning_contract.spec import ChatTemplate, RewardParams

from .completion import SampleScorer
from .fluency import JAPANESE, script_of
from .format import tags_in_order

LATIN = frozenset({"LATIN"})
SCRIPTS: dict[str, frozenset[str]] = {
    **dict.fromkeys(("de", "en", "es", "fr", "it", "nl", "pl", "pt", "vi"), LATIN),
    "ar": frozenset({"ARABIC"}),
    "el": frozenset({"GREEK"}),
    "he": frozenset({"HEBREW"}),
    "hi": frozenset({"DEVANAGARI"}),
    "ja": JAPANESE,
    "ko": frozenset({"HANGUL"}),
    **dict.fromkeys(("ru", "uk"), frozenset({"CYRILLIC"})),
    "th": frozenset({"THAI"}),
    "zh": frozenset({"CJK"}),
}
"""The scripts of a language's words."""
FORMULA = re.compile(r"\\[a-zA-Z]{1,40}|\$[^$\n]{0,400}\$")
WORD = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]|[^\W\d_\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]+")
"""A word, or a character of a script that is written without spaces."""


def make(params: RewardParams, template: ChatTemplate) -> SampleScorer:
    """Return the scorer for ``params.language``; where it is empty, for the language of the prompt."""
    tags = tags_in_order(template)
    scripts = SCRIPTS[params.language] if params.language else None
    return lambda sample: language_consistency(sample.text, scripts or scripts_of(sample.prompt), tags)


def scripts_of(prompt: str) -> frozenset[str]:
    """Return the scripts that a prompt is written in; Latin where it has no words."""
    found = frozenset(script_of(word[0]) for word in _words(prompt))
    return found | (JAPANESE if found & (JAPANESE - {"CJK"}) else frozenset()) or LATIN


def language_consistency(text: str, scripts: Collection[str], tags: Collection[str] = ()) -> float:
    """Return the share of the text's words that are of the scripts, in [0, 1]; 0 for a text without words.

    The language consistency reward of DeepSeek-R1 (arXiv:2501.12948, section 2.3.2), by script: languages that share
    one are not told apart. Tags, formulas and single Latin and Greek letters, which are names of quantities, are no
    words.
    """
    for tag in tags:
        text = text.replace(tag, " ")
    words = _words(text)
    return sum(script_of(word[0]) in scripts for word in words) / len(words) if words else 0.0


def _words(text: str) -> list[str]:
    return [word for word in WORD.findall(FORMULA.sub(" ", text)) if _is_word(word)]


def _is_word(word: str) -> bool:
    return len(word) > 1 or script_of(word) not in ("LATIN", "GREEK")
