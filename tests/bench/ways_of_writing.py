"""Forms in which models write an answer, and answers that look like it and are wrong: the input of `bench_judge`."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from fractions import Fraction

INTEGER = re.compile(r"-?\d+")
FRACTION = re.compile(r"(-?)\\d?frac\{(\d+)\}\{(\d+)\}")
RADICAL = re.compile(r"(\d*) ?\\sqrt\{(\d+)\}")
LIST = re.compile(r"-?\d+(?:, ?-?\d+)+")
SUM = re.compile(r"(\d+) ?([+-]) ?(\d*(?:\\pi|\\sqrt\{\d+\}|i))")
OF_TEXT = re.compile(r"\\(?:text|mbox)\{\s*([^{}]*)\}")
CHOICE = re.compile(r"\\text\{\(([A-E])\)\}")
INTERVAL = re.compile(r"([(\[])(-?\w+|-\\infty), ?(-?\w+|\\infty)([)\]])")

SENTENCES = {
    "sentence": "The answer is ${}$.",
    "sentence, boxed": "Therefore, the final answer is \\boxed{{{}}}.",
    "sentence, bold": "So the answer is **{}**.",
    "prefix": "Answer: {}",
}
MARKUP = {
    "boxed": "\\boxed{{{}}}",
    "dollars": "${}$",
    "brackets": "\\({}\\)",
    "display": "\\[\n{}\n\\]",
    "display, boxed": "$$\\boxed{{{}}}$$",
    "bold": "**{}**",
    "bold mathematics": "**${}$**",
    "full stop": "{}.",
}
COUNTED = {
    "dollar sign": "${}",
    "escaped dollar sign": "\\${}",
    "dollars": "{} dollars",
    "noun": "{} apples",
    "unit": "{} km",
    "unit in text": "{}\\text{{ cm}}^2",
    "rate": "{} miles per hour",
    "subject": "She has {} books left.",
    "named": "x = {}",
    "labelled": "Total = {}",
    "approximately": "\\approx {}",
    "cents": "{}.00",
}
"""Forms of a counted number: what stands around it changes nothing."""


def right_ways(reference: str) -> Iterator[tuple[str, str]]:
    """Yield names of forms with the reference written so."""
    for name, form in (SENTENCES | MARKUP).items():
        yield name, form.format(reference)
    if INTEGER.fullmatch(reference):
        yield from _integer_ways(int(reference))
    else:
        yield from _expression_ways(reference)


def _integer_ways(number: int) -> Iterator[tuple[str, str]]:
    for name, form in COUNTED.items():
        if number >= 0 or name not in ("dollar sign", "escaped dollar sign"):
            yield f"{name}, counted", form.format(number)
    yield "decimal", f"{number}.0"
    if abs(number) >= 1000:
        yield "thousands", f"{number:,}"
        yield "thousands, LaTeX", f"{number:,}".replace(",", "{,}")
        yield "thousands, dollars and cents", f"${number:,}.00"


def _expression_ways(reference: str) -> Iterator[tuple[str, str]]:
    if "=" not in reference and "\\in" not in reference and "," not in reference and "\\pm" not in reference:
        yield "named", f"x = {reference}"
    if "\\text" not in reference and "\\mbox" not in reference and " " in reference:
        yield "no space", re.sub(r"(?<![a-z]) | (?![a-zA-Z])", "", reference)
    if "\\frac" in reference and not re.search(r"\d ?\\frac", reference):
        yield "dfrac", reference.replace("\\frac", "\\dfrac")
        yield "fractions with a stroke", re.sub(r"\\frac\{([^{}]*)\}\{([^{}]*)\}", r"(\1)/(\2)", reference)
    if "\\left" not in reference and re.match(r"[(\[]", reference):
        sized = re.sub(r"([(\[])", r"\\left\1", reference)
        yield "sized brackets", re.sub(r"([)\]])", r"\\right\1", sized)
    yield from _plain_ways(reference)
    yield from _value_ways(reference)
    yield from _ordered_ways(reference)
    yield from _worded_ways(reference)


def _plain_ways(reference: str) -> Iterator[tuple[str, str]]:
    plain = re.sub(r"\\d?frac\{([^{}]*)\}\{([^{}]*)\}", r"(\1)/(\2)", reference)
    plain = re.sub(r"\\sqrt\{([^{}]*)\}", r"sqrt(\1)", plain)
    plain = plain.replace("\\left", "").replace("\\right", "").replace("\\pi", "pi").replace("\\infty", "infinity")
    if plain != reference and "\\" not in plain and not re.search(r"\d ?\\frac", reference):
        yield "plain text", plain
    signs = {"\\pi": "π", "\\infty": "∞", "\\pm": "±", "\\cup": "∪", "\\in ": "∈ ", "^\\circ": "°", "^2": "²", "-": "−"}
    unicode = re.sub(r"\\sqrt\{(\w)\}", r"√\1", reference)
    for command, sign in signs.items():
        unicode = unicode.replace(command, sign)
    if unicode != reference and "\\" not in unicode:
        yield "signs", unicode


def _value_ways(reference: str) -> Iterator[tuple[str, str]]:
    if (found := FRACTION.fullmatch(reference)) is not None:
        value = Fraction(int(found[2]), int(found[3])) * (-1 if found[1] else 1)
        yield "decimal", f"{float(value):.10f}"
        yield "stroke", f"{value.numerator}/{value.denominator}"
        yield "sign above", f"\\frac{{{value.numerator}}}{{{value.denominator}}}"
        if abs(value) > 1:
            whole, rest = divmod(abs(value.numerator), value.denominator)
            yield "mixed", f"{'-' if value < 0 else ''}{whole}\\frac{{{rest}}}{{{value.denominator}}}"
        if found[2] + found[3] == "".join(digit for digit in reference if digit.isdigit()) and len(found[2]) == 1:
            yield "shorthand", f"{found[1]}\\frac{found[2]}{{{found[3]}}}"
    if (found := RADICAL.fullmatch(reference)) is not None:
        times, under = int(found[1] or 1), int(found[2])
        yield "decimal", f"{times * math.sqrt(under):.10f}"
        yield "under the root", f"\\sqrt{{{times * times * under}}}"
        yield "power", f"{times} \\cdot {under}^{{1/2}}"


def _ordered_ways(reference: str) -> Iterator[tuple[str, str]]:
    if LIST.fullmatch(reference):
        values = re.split(r", ?", reference)
        yield "other order", ", ".join(reversed(values))
        yield "and", " and ".join(values) if len(values) == 2 else ", ".join(values[:-1]) + f", and {values[-1]}"
        yield "set", f"\\{{{', '.join(values)}\\}}"
        yield "equations", " or ".join(f"x = {value}" for value in values)
    if (found := SUM.fullmatch(reference)) is not None:
        yield "other order", f"{'-' if found[2] == '-' else ''}{found[3]} + {found[1]}"
    if "\\pm" in reference and "{" not in reference.partition("\\pm")[0]:
        left, _, right = reference.partition("\\pm")
        yield "both signs", f"{left}+{right}, {left}-{right}"
    if "\\cup" in reference:
        left, _, right = reference.partition("\\cup")
        yield "other order", f"{right} \\cup {left}"
    if "pmatrix" in reference:
        yield "other brackets", reference.replace("pmatrix", "bmatrix")
        if "&" not in reference:
            cells = reference.removeprefix("\\begin{pmatrix}").removesuffix("\\end{pmatrix}").split("\\\\")
            yield "in a row", f"({', '.join(cell.strip() for cell in cells)})"
    if re.fullmatch(r"[^=]*[a-z][^=]*=[^=]*", reference):
        left, _, right = reference.partition("=")
        yield "sides swapped", f"{right} = {left}" if len(left.strip()) > 1 or re.search("[a-z]", right) else reference


def _worded_ways(reference: str) -> Iterator[tuple[str, str]]:
    if (found := CHOICE.fullmatch(reference)) is not None:
        yield from (("letter", found[1]), ("in brackets", f"({found[1]})"), ("option", f"Option {found[1]}"))
    elif OF_TEXT.fullmatch(reference):
        yield "word", OF_TEXT.sub(r"\1", reference)
        yield "bold word", OF_TEXT.sub(r"**\1**", reference)
        yield "other case", OF_TEXT.sub(r"\1", reference).swapcase()
    elif OF_TEXT.search(reference):
        yield "no unit", re.sub(r"\\(?:text|mbox)\{[^{}]*\}(?:\^\d)?", "", reference).strip()
        yield "plain unit", OF_TEXT.sub(r" \1", reference)
    if reference.endswith("^\\circ"):
        number = reference.removesuffix("^\\circ")
        yield from (("no unit", number), ("degrees", f"{number} degrees"), ("braced", f"{number}^{{\\circ}}"))
        yield "angle", f"\\angle ABC = {reference}"
    if reference.startswith("\\$"):
        yield from (("no unit", reference[2:]), ("dollars", f"{reference[2:]} dollars"), ("bare sign", reference[1:]))
    if (found := INTERVAL.fullmatch(reference)) is not None and ("infty" in reference or found[1] + found[4] != "()"):
        low, high = ("<" if bracket in "()" else "\\le" for bracket in (found[1], found[4]))
        left = "" if "infty" in found[2] else f"{found[2]} {low} "
        yield "inequality", f"{left}x" + ("" if "infty" in found[3] else f" {high} {found[3]}")


SWAPS = (
    ("[", "("), ("]", ")"), ("(", "["), ("\\pi", "e"), ("\\sqrt", ""), ("x", "y"), ("<", ">"), ("\\le", "\\ge"),
    ("a", "b"), ("E", "D"), ("B", "C"), ("C", "A"), ("\\cup", "\\cap"), ("\\infty", "9"), ("i", ""),
    ("\\frac", "\\binom"),
    ("\\pm", "+"), ("=", "<"), ("\\text{e", "\\text{o"),
)  # fmt: skip
COUNT_CHANGES = (
    "{0} or {1}", "{0}, {1}", "not {0}", "{0}x", "{0}^2", "{0} + 1", "{0}:30", "{0} million", "{1}",
    "\\boxed{{{0}}}\\boxed{{{1}}}",
)  # fmt: skip


def wrong_ways(reference: str) -> Iterator[tuple[str, str]]:
    """Yield names of changes with an answer that is close to the reference and wrong."""
    for digit in re.finditer(r"\d", reference):
        yield "digit", f"{reference[: digit.start()]}{(int(digit[0]) + 1) % 10}{reference[digit.end() :]}"
    for sign in re.finditer("[+-]", reference):
        yield "sign", f"{reference[: sign.start()]}{'-' if sign[0] == '+' else '+'}{reference[sign.end() :]}"
    for old, new in SWAPS:
        if old in reference and not (old == "i" and OF_TEXT.search(reference)):
            yield "sign or name", reference.replace(old, new, 1)
    if INTEGER.fullmatch(reference):
        yield from _other_numbers(int(reference))
    else:
        more = (f"{reference} + 1", f"2({reference})", f"{reference}, {reference}")
        yield from (("more than the answer", answer) for answer in more)


def _other_numbers(number: int) -> Iterator[tuple[str, str]]:
    for change in COUNT_CHANGES:
        if number not in (0, 1) or change not in ("{0}^2", "{0} million"):
            yield "more than the answer", change.format(number, number + 1)
    yield "sum still to be done", f"{number - 1} + 1"
    others = [f"{number}.5", f"{number - 1}", f"{10 * number + 1}", f"1/{abs(number) + 2}"]
    if number:
        others += [f"{-number}", f"{number * 10}", f"{number}/7" if number % 7 else f"{number}/11"]
    yield from (("another number", other) for other in others)
