"""Reward for text that neither repeats itself nor falls into foreign scripts or garbage; without a model."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from functools import cache

from reasoning_contract.spec import ChatTemplate, RewardParams

from .completion import SampleScorer

DEFAULT_NGRAM = 4
"""Welleck et al. report repetition by 4-grams."""
WORD = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af]|\w{1,20}|[^\w\s]")
"""A word, a mark, or a character of a script written without spaces. Endless words are cut, so that they repeat."""
NOTATION = frozenset({"LATIN", "GREEK", "MATHEMATICAL", "DOUBLE-STRUCK", "SCRIPT", "BLACK-LETTER"})
"""Scripts of tags and formulas, fine in every language."""
JAPANESE = frozenset({"CJK", "HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA"})


def make(params: RewardParams, template: ChatTemplate) -> SampleScorer:
    """Return the scorer for passages of ``params.ngram`` words."""
    ngram = params.ngram or DEFAULT_NGRAM
    return lambda sample: fluency(sample.text, sample.prompt, ngram)


def fluency(text: str, prompt: str = "", ngram: int = DEFAULT_NGRAM) -> float:
    """Return distinctness times legibility, in [0, 1]; 0 for an empty text. See `distinctness` and `legibility`."""
    return distinctness(text, ngram) * legibility(text, prompt)


def distinctness(text: str, ngram: int) -> float:
    """Return the share of the text's n-grams of words that are no repeats; 1 if it is too short to have any.

    1 - rep-n, the repetition of Welleck et al. 2019, "Neural text generation with unlikelihood training"
    (arXiv:1908.04319).
    """
    words = WORD.findall(text.casefold())
    grams = list(zip(*(words[offset:] for offset in range(ngram)), strict=False))
    return len(set(grams)) / len(grams) if grams else 1.0


def legibility(text: str, prompt: str) -> float:
    """Return the share of characters, space aside, that a reader of the prompt can read; 0 if there are none.

    Letters count if they are of a script of the prompt or of `NOTATION`; digits and marks always; control characters,
    code points without a meaning and the sign of a broken decoding (U+FFFD) never. For letters this is the language
    consistency reward of DeepSeek-R1 (arXiv:2501.12948), by script instead of by language.
    """
    known = NOTATION | {script_of(character) for character in set(prompt) if character.isalpha()}
    if known & JAPANESE:
        known |= JAPANESE
    counts = Counter("".join(text.split()))
    legible = sum(count for character, count in counts.items() if _is_legible(character, known))
    return legible / counts.total() if counts else 0.0


def _is_legible(character: str, scripts: frozenset[str]) -> bool:
    if character.isalpha():
        return script_of(character) in scripts
    category = unicodedata.category(character)
    return character != "\ufffd" and (category not in ("Cc", "Cn", "Co", "Cs"))


@cache
def script_of(letter: str) -> str:
    """Return the first word of the letter's Unicode name, which names its script: LATIN, CYRILLIC, CJK ..."""
    return unicodedata.name(letter, "UNKNOWN").partition(" ")[0]
