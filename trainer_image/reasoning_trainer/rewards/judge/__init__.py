"""The judge of answers: says whether an answer is right, in time that is bounded by the size of what it reads.

An answer is taken out of its box, markup and sentence (`text`), cut into tokens (`tokens`), read as mathematics
(`grammar`, `reading`) and compared by value (`compare`, `values`, `regions`). What is not read whole is compared as
text. Numbers are exact as long as they are rational, else complex numbers of sixty digits with a bound on their error
(`evaluate`, `ball`); what would be larger than its limit is not worked out, so no answer can keep the judge busy.
"""

from __future__ import annotations

from fractions import Fraction

from .choice import chosen, letter, option
from .compare import same_reading, value_of
from .pattern import matches
from .reading import Reading, read
from .text import normalised

MAX_LENGTH = 400
"""Characters of an answer that is still read, or four times the reference's: more is an essay."""


def same_mathematics(reference: str, answer: str) -> bool:
    """Return whether the answer is the reference by value; by text where either is not read as mathematics."""
    if _is_essay(reference, answer):
        return False
    if normalised(reference) == normalised(answer):
        return True
    if letter(reference) is not None:
        return letter(reference) == chosen(answer)
    lettered = option(reference)
    if lettered is not None:
        return chosen(answer) == lettered[0] or same_mathematics(lettered[1], answer)
    right, given = read(reference, is_reference=True), read(answer)
    if right is None or given is None:
        return normalised(reference).casefold() == normalised(answer).casefold()
    return same_reading(right, given)


def same_number(reference: str, answer: str) -> bool | None:
    """Return whether the answer states the reference's number; None if the reference states none."""
    right = _number(reference)
    if right is None:
        return None
    given = None if _is_essay(reference, answer) else read(answer)
    return given is not None and same_reading(right, given)


def same_choice(reference: str, answer: str) -> bool | None:
    """Return whether the answer chooses the reference's letter; None if the reference is not one letter."""
    right = letter(reference)
    return None if right is None else not _is_essay(reference, answer) and chosen(answer) == right


def same_pattern(reference: str, answer: str) -> bool | None:
    """Return whether the answer matches the reference, a regular expression, as a whole; None if that is none.

    The expression itself is right too: so what checks rows by their own answers has one that is.
    """
    matched = matches(reference, "" if _is_essay(reference, answer) else answer)
    return None if matched is None else matched or answer == reference


def same_text(reference: str, answer: str) -> bool:
    """Return whether the two are the same text, white space aside."""
    return reference.split() == answer.split()


def number_of(text: str) -> Fraction | None:
    """Return the number that the text states, exactly; None if it states none, several, or a sum still to be done."""
    reading = _number(text)
    return None if reading is None else value_of(reading)


def _number(text: str) -> Reading | None:
    """Read a text that states a number, by itself or as the last side of an equation."""
    reading = read(text, is_reference=True)
    return reading if reading is not None and value_of(reading) is not None else None


def _is_essay(reference: str, answer: str) -> bool:
    return len(answer) > max(MAX_LENGTH, 4 * len(reference))
