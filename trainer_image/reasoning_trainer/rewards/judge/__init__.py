"""The judge of answers: says whether an answer is right, in time that is bounded by the size of what it reads.

An answer is taken out of its box, markup and sentence (`text`), cut into tokens (`tokens`), read as mathematics
(`grammar`, `reading`) and compared by value (`compare`, `values`, `regions`). What is not read whole is compared as
text. Numbers are exact as long as they are rational, else complex numbers of sixty digits with a bound on their error
(`evaluate`, `ball`); what would be larger than its limit is not worked out, so no answer can keep the judge busy.
"""

from __future__ import annotations

from .choice import chosen, letter
from .compare import same_reading
from .reading import read
from .text import normalised

MAX_LENGTH = 400
"""Characters of an answer that is still read, or four times the reference's: more is an essay."""


def same_mathematics(reference: str, answer: str) -> bool:
    """Return whether the answer is the reference by value; by text where either is not read as mathematics."""
    if len(answer) > max(MAX_LENGTH, 4 * len(reference)):
        return answer == reference
    if normalised(reference) == normalised(answer):
        return True
    if letter(reference) is not None:
        return letter(reference) == chosen(answer)
    right, given = read(reference, is_reference=True), read(answer)
    if right is None or given is None:
        return normalised(reference).casefold() == normalised(answer).casefold()
    return same_reading(right, given)
