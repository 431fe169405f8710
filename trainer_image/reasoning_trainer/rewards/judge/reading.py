"""Reads an answer with the words and units around it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache
from math import gcd

from .grammar import parse
from .text import settled
from .tokens import CURRENCY, Token, cut
from .tree import Apply, Node, Number, Relation, UnreadableError, bounded
from .words import CHANGING, CHANGING_BEFORE, FILLERS, LETTER_UNITS, MAGNITUDES, POWERS, unit_of


@dataclass(frozen=True, slots=True)
class Reading:
    """What an answer says.

    Attributes
    ----------
    node
        Its mathematics.
    units
        The units that stand beside it, each with its power.
    words
        The words behind it that name no unit, in the singular: of what it is so many.
    percentage
        Whether it is followed by a percent sign, or the word.
    """

    node: Node
    units: frozenset[str] = frozenset()
    words: frozenset[str] = frozenset()
    percentage: bool = False


@lru_cache(maxsize=8192)
def read(text: str, *, is_reference: bool = False) -> Reading | None:
    """Read an answer; None if not all of it is understood.

    Parameters
    ----------
    text
        The answer as it was given.
    is_reference
        Whether it is the right answer. In that, a letter that stands close to a number is a variable: ``5m`` is no
        length, as it is where five is the right answer.
    """
    try:
        tokens = cut(settled(text))
        return _with_letter_unit(tokens, is_reference) or _read(tokens, is_reference)
    except (UnreadableError, RecursionError):
        return None


def _read(tokens: list[Token], is_reference: bool) -> Reading:
    before, core, after = _core(tokens)
    if is_reference and words(before):
        raise UnreadableError("words before the answer, which may be part of it: June 5")
    return _stripped(Reading(bounded(parse(core)), units([*before, *after]), words(after)))


def _stripped(reading: Reading) -> Reading:
    """Take degree and percent off the end of the whole."""
    node = reading.node
    if isinstance(node, Apply) and node.operator == "degree":
        return replace(reading, node=node.operands[0], units=reading.units | {"degree"})
    if isinstance(node, Apply) and node.operator == "neg":
        inner = _stripped(replace(reading, node=node.operands[0]))
        return replace(inner, node=Apply("neg", (inner.node,)))
    if isinstance(node, Apply) and node.operator == "%":
        return replace(reading, node=node.operands[0], percentage=True)
    if isinstance(node, Relation):
        last = _stripped(replace(reading, node=node.sides[-1]))
        return replace(last, node=Relation(node.operators, (*node.sides[:-1], last.node)))
    if "%" in reading.units:
        return replace(reading, units=reading.units - {"%"}, percentage=True)
    return reading


def _with_letter_unit(tokens: list[Token], is_reference: bool) -> Reading | None:
    """Read a number with a unit of one letter, ``12 m/s``; None if it is none."""
    start = next((place for place, token in enumerate(tokens) if token.kind == "letter"), 0)
    if not start or (is_reference and not tokens[start].spaced) or tokens[start].text not in LETTER_UNITS:
        return None
    tail = tokens[start:]
    if not _is_unit_tail(tail):
        return None
    try:
        reading = _read(tokens[:start], is_reference)
    except UnreadableError:
        return None
    return replace(reading, units=reading.units | units(tail)) if is_literal(reading.node) else None


def _is_unit_tail(tail: list[Token]) -> bool:
    """Return whether these are units, times or per each other."""
    return all(
        token.kind == "word"
        or (token.kind == "letter" and token.text in LETTER_UNITS)
        or token.text in ("^", "{", "}", "/", "cdot", ".")
        or (token.kind == "number" and place > 0 and token.text in ("2", "3"))
        for place, token in enumerate(tail)
    ) and not any(token.text in CHANGING for token in tail)


def _core(tokens: list[Token]) -> tuple[list[Token], list[Token], list[Token]]:
    """Part the tokens into the words before the mathematics, the mathematics, and the words and units behind it."""
    tokens = [_as_article(tokens, place) for place in range(len(tokens))]
    start = 0
    while start < len(tokens) and _leads(tokens[start]):
        start += 1
    end = len(tokens)
    while end > start and _trails(tokens, end - 1):
        end -= 1
    while end < len(tokens) and not _begins_tail(tokens, end):
        end += 1
    before, after = tokens[:start], tokens[end:]
    if _changes(before, CHANGING_BEFORE) or _changes(_beside_units(after), CHANGING):
        raise UnreadableError("words that change the answer")
    core, money = _without_currency(tokens[start:end])
    return before, _multiplied(core, after), [*after, *money]


def _as_article(tokens: list[Token], place: int) -> Token:
    """Return the token, as a word if it is the article between two words, meters a week, or a unit in km/h."""
    token, around = tokens[place], tokens[max(place - 1, 0) : place + 2]
    is_article = token.text == "a" and len(around) == 3 and around[0].kind == around[2].kind == "word"
    is_unit = token.text in LETTER_UNITS and place > 1 and around[0].text == "/" and tokens[place - 2].kind == "word"
    return Token("word", token.text, spaced=True) if is_article or is_unit else token


def _changes(tokens: list[Token], words: frozenset[str]) -> bool:
    return any(token.text.casefold() in words for token in tokens)


def _beside_units(tail: list[Token]) -> list[Token]:
    """Return the words but for the powers of units, as in "meters squared"."""
    powers = [
        place for place, token in enumerate(tail) if place and token.text in POWERS and unit_of(tail[place - 1].text)
    ]
    return [token for place, token in enumerate(tail) if place not in powers]


def _leads(token: Token) -> bool:
    return token.kind == "word" or token.text in (":", "~", '"')


def _trails(tokens: list[Token], place: int) -> bool:
    token, before = tokens[place], tokens[place - 1].text if place else ""
    if token.kind == "word" or token.text in ('"', ".", "$", "?"):
        return True
    if token.kind == "number":
        return token.text in ("2", "3") and (before == "^" or (before == "{" and tokens[place - 2].text == "^"))
    if token.text in ("/", "cdot", "-"):
        return place + 1 < len(tokens) and tokens[place + 1].kind == "word"
    if token.text == "^" and _is_unit(tokens[place - 1]):
        return True
    return token.text in ("(", ")", "{", "}") and _is_beside_words(tokens, place)


def _is_unit(token: Token) -> bool:
    return token.kind == "word"


def _is_beside_words(tokens: list[Token], place: int) -> bool:
    """Return whether the bracket holds words alone, or the power of a unit."""
    pairs = {")": "(", "}": "{"}
    if tokens[place].text in pairs:
        opened = place - 1
        while opened >= 0 and (tokens[opened].kind == "word" or tokens[opened].text in ("2", "3", "-")):
            opened -= 1
        is_power = opened >= 2 and tokens[opened - 1].text == "^" and _is_unit(tokens[opened - 2])
        only_words = opened < place - 1 and all(token.kind == "word" for token in tokens[opened + 1 : place])
        return opened >= 0 and tokens[opened].text == pairs[tokens[place].text] and (only_words or is_power)
    return place + 1 < len(tokens) and (tokens[place + 1].kind in ("word", "number"))


def _begins_tail(tokens: list[Token], place: int) -> bool:
    """Return whether words and units can begin here: with a word, its bracket, or a stroke before it."""
    token = tokens[place]
    if token.kind == "word" or token.text in ('"', ".", "$", "?"):
        return True
    return token.text in ("(", "{", "/", "-") and place + 1 < len(tokens) and tokens[place + 1].kind == "word"


def _without_currency(core: list[Token]) -> tuple[list[Token], list[Token]]:
    money = [token for token in core if token.text == "$" or token.text in CURRENCY]
    return [token for token in core if token not in money] if money else core, money


def _multiplied(core: list[Token], around: list[Token]) -> list[Token]:
    """Return the number in full where a million or the like is said of it."""
    magnitude = next((MAGNITUDES[token.text.casefold()] for token in around if token.text.casefold() in MAGNITUDES), 1)
    if magnitude == 1:
        return core
    if len(core) != 1 or core[0].kind != "number":
        raise UnreadableError("a million of something else than a number")
    value = Fraction(core[0].text) * magnitude
    if value.denominator > 1:
        raise UnreadableError("a part of one")
    return [Token("number", str(value))]


def units(tokens: list[Token]) -> frozenset[str]:
    """Return the units that tokens name, each with its power, those after a stroke or "per" as such."""
    found: list[str] = []
    power, per = "", ""
    for place, token in enumerate(tokens):
        if token.text in POWERS and place + 1 < len(tokens):
            power = POWERS[token.text]
        elif token.text in ("/", "per", "a", "an", "each"):
            per = "/"
        elif token.kind in ("word", "letter") or token.text == "$":
            unit = unit_of(token.text)
            if unit:
                found.append(f"{per}{unit}{power or _power_after(tokens, place)}")
            power = ""
    return frozenset(found)


def words(tokens: list[Token]) -> frozenset[str]:
    """Return the words that name no unit and say something of what is counted, in the singular."""
    said = [token.text.casefold() for token in tokens if token.kind == "word" and unit_of(token.text) is None]
    telling = [word for word in said if word not in FILLERS and word not in MAGNITUDES and word not in POWERS]
    return frozenset(word.rstrip("s") for word in telling)


def _power_after(tokens: list[Token], place: int) -> str:
    after = [token.text for token in tokens[place + 1 : place + 4] if token.text not in ("{", "}")]
    if after[:1] == ["^"] and len(after) > 1:
        return f"^{after[1]}"
    return POWERS.get(after[0], "") if after and after[0] in ("squared", "cubed") else ""


def is_literal(node: Node, *, lowest: bool = True) -> bool:
    """Return whether it is a number as one states it, and no sum still to be done.

    A fraction is one in lowest terms only, if ``lowest``: ``144/12`` would answer "what is 144/12?".
    """
    if isinstance(node, Number):
        return True
    if not isinstance(node, Apply):
        return False
    if node.operator in ("neg", "%", "degree"):
        return is_literal(node.operands[0], lowest=lowest)
    if node.operator == "/":
        return _is_fraction(node, lowest)
    if node.operator == "mixed":
        return is_literal(node.operands[1], lowest=lowest)
    if _is_power_of_ten(node):
        return True
    return node.operator == "*" and isinstance(node.operands[0], Number) and _is_power_of_ten(node.operands[1])


def _is_fraction(node: Apply, lowest: bool) -> bool:
    top, bottom = (_without_sign(operand) for operand in node.operands)
    if not (isinstance(top, Number) and isinstance(bottom, Number) and top.exact and bottom.exact):
        return False
    return bottom.value > 0 if not lowest else bottom.value > 1 and gcd(int(top.value), int(bottom.value)) == 1


def _without_sign(node: Node) -> Node:
    return node.operands[0] if isinstance(node, Apply) and node.operator == "neg" else node


def _is_power_of_ten(node: Node) -> bool:
    if not (isinstance(node, Apply) and node.operator == "^" and node.operands[0] == Number(Fraction(10))):
        return False
    return isinstance(_without_sign(node.operands[1]), Number)
