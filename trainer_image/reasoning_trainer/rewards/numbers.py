"""The one number that a text states."""

from __future__ import annotations

import re
from fractions import Fraction

from .judge import number_of
from .judge.text import settled

WORD = re.compile(r"[^\W\d_]{2,}")


def read_number(text: str, *, bare: bool = False) -> Fraction | None:
    """Return the number that the text states, exactly; None if it states none, several, or a sum still to be done.

    Words and units may stand around it, unless it is to be bare.
    """
    if bare and WORD.search(settled(text).replace("frac", "")):
        return None
    return number_of(text)
