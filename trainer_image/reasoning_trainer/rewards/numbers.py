"""Reads the one number that an answer states, exactly."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from fractions import Fraction
from math import gcd

MAX_LENGTH = 1000
"""Characters. A longer answer states no number; so every step here takes bounded time."""
MAX_EXPONENT = 1000

DIGITS = r"(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)"
NUMBER = re.compile(
    rf"""(?<![\w.])
    (?P<sign>[-+]\s?)?[$€£¥]?
    (?: (?P<whole>{DIGITS}\s+)?(?P<top>{DIGITS})\s?/\s?(?P<bottom>{DIGITS})
      | (?P<decimal>{DIGITS}(?:\.\d+)?|\.\d+)(?:[eE](?P<exponent>[-+]?\d{{1,4}})(?!\w))? )
    (?!\d|\.\d|,\d)""",
    re.VERBOSE,
)
SCIENTIFIC = re.compile(r"\s*(?:×|\\times|\\cdot|\*)\s*10\s?\^\s?\{?\s?(?P<exponent>[-+]?\d{1,4})\s?\}?")
FRACTION = re.compile(r"\\[dt]?frac\s?\{(?P<top>[^{}]*)\}\s?\{(?P<bottom>[^{}]*)\}")
UNIT_POWER = re.compile(r"(?<=[A-Za-z])(?:[²³]|\s?\^\s?\{?\d\}?)")
WRAPPER = re.compile(r"\\(?:boxed|text|mathrm|textbf|mathbf)\s?\{(?P<content>[^{}]*)\}")
SPACING = re.compile(r"\\[,!;: ]|\\left|\\right|\\[()\[\]]|\\(?=[%$])|[{}]|\*\*")
MARKS = r"[\s.,;:'\"%°$€£¥~≈/-]"
WORD = r"(?:[^\W\d_]{2,}|[mgshlLKCFNJWVA])"
BARE = re.compile(rf"{MARKS}*")
SURROUNDINGS = re.compile(rf"{MARKS}*(?:{WORD}(?:{MARKS}+|\Z))*")
"""What may stand around the number: marks, currency, words, units of one letter. No variables, brackets or powers."""


@dataclass(frozen=True)
class Number:
    """A number as it was stated.

    Attributes
    ----------
    values
        What it may mean: a percentage is 50 as well as 1/2.
    simplified
        False for a fraction that is not in lowest terms: it may be the question itself, handed back.
    """

    values: tuple[Fraction, ...]
    simplified: bool


def read_number(text: str, *, bare: bool = False) -> Number | None:
    """Return the number that the text states; None if it states none, several, or a sum still to be done.

    Of an equation the last side counts. Words and units may stand around it, unless it is to be bare: ``x = 12.50 cm``
    states 12.5. Understood are thousands separators, fractions (``3/4``, ``1 1/2``, ``\\frac{3}{4}``), percentages,
    ``1.5e6`` and ``1.5 \\times 10^6``, currency signs, and the decimal digits of every script.
    """
    if len(text) > MAX_LENGTH:
        return None
    last_side = _plain(text).rpartition("=")[2].strip()
    if last_side.startswith("(") and last_side.endswith(")"):
        last_side = last_side[1:-1]
    found = list(NUMBER.finditer(last_side))
    if len(found) != 1:
        return None
    around = last_side[: found[0].start()], last_side[found[0].end() :]
    allowed = BARE if bare else SURROUNDINGS
    if not all(allowed.fullmatch(part) for part in around):
        return None
    return _to_number(found[0], is_percentage=around[1].lstrip().startswith("%"))


def _plain(text: str) -> str:
    """Return the text with ASCII digits and signs, and without LaTeX around its numbers."""
    text = UNIT_POWER.sub("", text).replace("{,}", ",")
    text = "".join(_ascii(character) for character in text)
    text = FRACTION.sub(r" \g<top>/\g<bottom> ", text)
    text = SCIENTIFIC.sub(r"e\g<exponent>", text)
    text = WRAPPER.sub(r" \g<content> ", WRAPPER.sub(r" \g<content> ", text))
    return " ".join(SPACING.sub("", text).split())


def _ascii(character: str) -> str:
    digit = unicodedata.decimal(character, None)
    if digit is not None:
        return str(digit)
    if unicodedata.category(character) == "No":  # ², ½: read as a power, which states no number
        return "^"
    return "-" if character in "\u2212\u2010\u2011" else character


def _to_number(match: re.Match[str], is_percentage: bool) -> Number | None:
    value = _decimal(match) if match["decimal"] else _fraction(match)
    if value is None:
        return None
    if match["sign"] and match["sign"].startswith("-"):
        value = -value
    simplified = match["decimal"] is not None or _is_lowest(match)
    return Number((value, value / 100) if is_percentage else (value,), simplified)


def _decimal(match: re.Match[str]) -> Fraction | None:
    exponent = int(match["exponent"] or 0)
    return (
        None if abs(exponent) > MAX_EXPONENT else Fraction(match["decimal"].replace(",", "")) * Fraction(10) ** exponent
    )


def _fraction(match: re.Match[str]) -> Fraction | None:
    whole, top, bottom = (_integer(match[part]) for part in ("whole", "top", "bottom"))
    return whole + Fraction(top, bottom) if bottom else None


def _is_lowest(match: re.Match[str]) -> bool:
    top, bottom = _integer(match["top"]), _integer(match["bottom"])
    return bottom > 1 and gcd(top, bottom) == 1


def _integer(digits: str | None) -> int:
    return int((digits or "0").replace(",", ""))


def states_number(answer: str, reference: Number) -> bool:
    """Return whether the answer states the reference: exactly, or to six digits where the reference is no integer.

    A fraction that could be simplified is not accepted: ``144/12`` would answer "what is 144/12?".
    """
    stated = read_number(answer)
    if stated is None or not stated.simplified:
        return False
    return any(_close(right, given) for right in reference.values for given in stated.values)


def _close(right: Fraction, given: Fraction) -> bool:
    return right == given or (right.denominator > 1 and abs(right - given) <= abs(right) / 10**6)
