"""Cuts an answer into numbers, letters, words, commands and signs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, TypeAlias

from .text import closing
from .tree import UnreadableError
from .words import is_word, names

MAX_TOKENS = 600
MAX_DIGITS = 1000
"""Digits of one number: a longer one is not worked out, but compared as text."""

Kind: TypeAlias = Literal["number", "letter", "word", "command", "sign"]

FUNCTIONS = names(
    "sin cos tan cot sec csc arcsin arccos arctan arccot sinh cosh tanh ln log lg exp sqrt cbrt abs max min gcd lcm "
    "asin acos atan det floor ceil"
)
PLAIN_NAMES = {
    "pi": "pi",
    "Pi": "pi",
    "inf": "infty",
    "infinity": "infty",
    "oo": "infty",
    "theta": "theta",
    "alpha": "alpha",
    "beta": "beta",
    "gamma": "gamma",
    "lambda": "lambda",
    "omega": "omega",
    "phi": "phi",
    "union": "cup",
    "degrees": "degree",
}
"""Words of plain text that are signs in mathematics -> their command."""
ORDINALS = ("st", "nd", "rd", "th")
UNIT_FUNCTIONS = ("sec", "min")
"""Functions whose name is a unit where a number stands before them."""

TOKEN = re.compile(
    r"""(?P<space>\s*)(?:
      (?P<number>\d+\.(?=\\overline)|\d+(?:\.\d+)?|\.\d+)(?P<exponent>[eE][-+]?\d{1,4}(?![\w.]))?
    | (?P<letters>[a-zA-Z]+)
    | \\(?P<command>(?:begin|end)\s*\{[a-zA-Z]+\}|[a-zA-Z]+|[{}|$%&\\])
    | (?P<sign><=|>=|!=|==|=>|->|\*\*|\|\||[-+*/^_=<>()\[\]{}|,;:!%'&.?"])
    )""",
    re.VERBOSE,
)
GROUPS = re.compile(r"\d{1,3}(?:,\d{3})+(?![\d,])(?:\.\d+)?")
CURRENCY = "€£¥₹"
OPENING, CLOSING = ("(", "[", r"\{"), (")", "]", r"\}")
TEXTUAL = ("text", "mathrm", "mbox", "operatorname", "textnormal", "rm")
SIGN_OF = {"==": "=", "**": "^", "!=": "ne", "<=": "le", ">=": "ge", "=>": "Rightarrow", "->": "to"}


@dataclass(slots=True)
class Token:
    """A piece of the answer; ``spaced`` if space stands before it."""

    kind: Kind
    text: str
    spaced: bool = False


def cut(text: str) -> list[Token]:
    """Cut an answer, settled, into its tokens.

    Raises
    ------
    UnreadableError
        If a sign is not known, or there are too many.
    """
    tokens: list[Token] = []
    position = depth = 0
    text = text.strip()
    if len(text) > 1 and text.isalpha() and text not in PLAIN_NAMES:
        return [Token("word", text)]
    while position < len(text):
        position, depth = _next(text, position, depth, tokens)
        if len(tokens) > MAX_TOKENS:
            raise UnreadableError("too long")
    return tokens


def _next(text: str, position: int, depth: int, tokens: list[Token]) -> tuple[int, int]:
    """Append what stands at the position; return where the next token is, and how many brackets are open."""
    found = TOKEN.match(text, position)
    if found is None:
        return _currency(text, position, tokens), depth
    spaced = bool(found["space"])
    if found["number"]:
        return _number(text, found, depth, tokens), depth
    if found["letters"]:
        tokens.extend(_letters(found["letters"], spaced, tokens[-1] if tokens else None))
        return found.end(), depth
    if found["command"] in TEXTUAL:
        return _textual(text, found.end(), spaced, tokens), depth
    name = f"\\{found['command']}" if found["command"] in ("{", "}") else found["command"] or found["sign"]
    kind: Kind = "command" if found["command"] or len(SIGN_OF.get(name, "")) > 1 else "sign"
    tokens.append(Token(kind, SIGN_OF.get(name, name), spaced))
    return found.end(), depth + (name in OPENING) - (name in CLOSING)


def _number(text: str, found: re.Match[str], depth: int, tokens: list[Token]) -> int:
    grouped = GROUPS.match(text, found.start("number")) if not depth else None
    digits = grouped[0].replace(",", "") if grouped else found["number"] + (found["exponent"] or "")
    if len(digits) > MAX_DIGITS:
        raise UnreadableError("a number too long")
    tokens.append(Token("number", digits, bool(found["space"])))
    return grouped.end() if grouped else found.end()


def _currency(text: str, position: int, tokens: list[Token]) -> int:
    rest = text[position:].lstrip()
    if rest[0] not in CURRENCY:
        raise UnreadableError(f"the sign {rest[0]!r}")
    tokens.append(Token("word", rest[0], spaced=True))
    return len(text) - len(rest) + 1


def _letters(letters: str, spaced: bool, before: Token | None) -> list[Token]:
    after_number = before is not None and before.kind == "number"
    if after_number and not spaced and letters in ORDINALS:
        return [Token("word", letters)]
    if letters in PLAIN_NAMES:
        return [Token("command", PLAIN_NAMES[letters], spaced)]
    if letters in FUNCTIONS and not (after_number and letters in UNIT_FUNCTIONS):
        return [Token("command", letters, spaced)]
    if len(letters) == 1:
        return [Token("letter", letters, spaced)]
    name = _is_applied(letters)
    if name:
        return [Token("command", name, spaced), Token("letter", letters[-1])]
    if is_word(letters, spaced or before is None):
        return [Token("word", letters, spaced)]
    return [Token("letter", letter, spaced and not place) for place, letter in enumerate(letters)]


def _is_applied(letters: str) -> str | None:
    """Return the function that begins ``sinx`` or ``lnx``."""
    return letters[:-1] if letters[:-1] in FUNCTIONS and letters[-1] in "xyztn" else None


def _textual(text: str, position: int, spaced: bool, tokens: list[Token]) -> int:
    r"""Append what stands in ``\text{...}``: words, units of one letter among them; Euler's number in ``\mathrm``."""
    opened = re.compile(r"\s*\{").match(text, position)
    end = opened and closing(text, opened.end())
    if opened is None or end is None:
        return position
    content = text[opened.end() : end]
    inside = cut(content)
    for token in inside:
        if token.kind in ("letter", "command") and token.text.isalpha() and token.text not in ("e", "i", "pi", "infty"):
            token.kind = "word" if token.kind == "letter" or token.text in UNIT_FUNCTIONS else token.kind
    if inside:
        inside[0].spaced = inside[0].spaced or spaced
    tokens.extend(inside)
    return end + 1
