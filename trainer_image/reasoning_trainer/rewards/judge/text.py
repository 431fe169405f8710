"""Takes off what stands around an answer: markup, boxes, sentences; and brings all scripts to plain signs."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

SIGNS = {
    "−": "-", "‐": "-", "‑": "-", "–": "-", "—": "-", "×": r"\times ", "·": r"\cdot ", "⋅": r"\cdot ", "∙": r"\cdot ",
    "÷": "/", "∕": "/", "⁄": "/", "√": r"\sqrt ", "∛": r"\sqrt[3]", "π": r"\pi ", "∞": r"\infty ", "≤": r"\le ",
    "≥": r"\ge ", "⩽": r"\le ", "⩾": r"\ge ", "≠": r"\ne ", "≈": r"\approx ", "≡": r"\equiv ", "∪": r"\cup ",
    "∩": r"\cap ", "∈": r"\in ", "±": r"\pm ", "∓": r"\mp ", "°": r"^\circ ", "º": r"^\circ ", "˚": r"^\circ ",
    "∠": r"\angle ", "ℝ": r"\mathbb{R}", "∅": r"\emptyset ", "⟨": r"\langle ", "⟩": r"\rangle ", "…": r"\ldots ",
    "′": "'", "’": "'", "‘": "'", "“": '"', "”": '"', "₊": "_+", "⌊": r"\lfloor ", "⌋": r"\rfloor ",
    "⌈": r"\lceil ", "⌉": r"\rceil ", "⇒": r"\Rightarrow ", "→": r"\to ", "、": ", ", "。": ". ", "∖": r"\setminus ",
}  # fmt: skip
GREEK = {
    "α": "alpha", "β": "beta", "γ": "gamma", "δ": "delta", "ε": "epsilon", "ζ": "zeta", "η": "eta", "θ": "theta",
    "κ": "kappa", "λ": "lambda", "μ": "mu", "ν": "nu", "ξ": "xi", "ρ": "rho", "σ": "sigma", "τ": "tau", "φ": "phi",
    "χ": "chi", "ψ": "psi", "ω": "omega", "Γ": "Gamma", "Δ": "Delta", "Θ": "Theta", "Λ": "Lambda", "Σ": "Sigma",
    "Φ": "Phi", "Ψ": "Psi", "Ω": "Omega",
}  # fmt: skip
RAISED = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁽⁾ⁿ", "0123456789+-()n")
LOWERED = str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789")
SUPERSCRIPT = re.compile("[⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁽⁾ⁿ]+")
SUBSCRIPT = re.compile("[₀₁₂₃₄₅₆₇₈₉]+")
THIN_SPACE = re.compile("[\u00a0\u2009\u202f\u2007](?=\\d{3})")

SIZES = re.compile(
    r"\\(?:left|right|[bB]igg?[lrm]?|displaystyle|textstyle|limits|tfrac(?![a-z])|dfrac(?![a-z])|cfrac(?![a-z]))"
    r"(?![a-zA-Z])\.?"
)
GROUPED = re.compile(r"(?<=\d)(?:\{,\}|,?\\!|\\[,;:])\s*(?=\d{3}(?!\d))|(?<=\d),\\!\s*(?=\d)")
SPACES = re.compile(r"(?<!\\)\\[,;:!> ]|~|\\q?quad(?![a-zA-Z])|\\(?:phantom|hspace|vspace)\*?\{[^{}]*\}")
DELIMITERS = re.compile(r"(?<!\\)\\[()\[\]]|\$\$")
DOLLAR = re.compile(r"(?<!\\)\$")
MARKDOWN = re.compile(r"\*\*|(?<![\w\\}\])'])__|__(?![\w\\{])|```\w*|`")
EMPHASIS = re.compile(r"^\s*([*_])(?=\S)(.*\S)\1\s*$", re.DOTALL)
TRAILING = re.compile(r"\s*[.;,]?\s*\Z")
DOTS = re.compile(r"\.{2,}")
HEADING = re.compile(r"^\s*#+\s+")
BOX_OF_NONE = re.compile(r"\\(?:boxed|fbox)\s+([^\s{}$]+)")
LOGARITHM = re.compile(r"(?<![a-zA-Z\\])log(\d+)(?=\s*\()")
BASE = re.compile(
    r"(?<=\w)\s*\(?(?:\\text\{\s*)?\(?base[\s~]+(\d+)\)?\}?\)?\s*\Z|_\{?\\text\{(?:base )?([a-z]+)\}\}?\Z"
)
BASES = {
    "two": 2,
    "three": 3,
    "four": 4,
    "five": 5,
    "six": 6,
    "seven": 7,
    "eight": 8,
    "nine": 9,
    "ten": 10,
    "twelve": 12,
}
BOX = re.compile(r"\\(?:boxed|fbox|framebox)\s*\{")
STYLES = re.compile(
    r"\\(?:textbf|textit|textrm|textsf|texttt|mathbf|boldsymbol|bm|emph|mathit|mathsf|mathcal)\s*(?=\{)"
)
WORD = re.compile(r"(?<![\\a-zA-Z])[a-zA-Z]{2,}")
NEGATION = re.compile(
    r"\b(?:not|never|no|neither|nor|isn't|aren't|wasn't|cannot|unless|except|false|wrong|incorrect)\b"
)
LEAD = re.compile(
    r"""\A(?: (?:[a-zA-Z',\\$(){}\ ]|_\{?\d+)*\b(?:is|are|equals|equal\ to|be|was)\b\s*(?:thus|therefore)?
            (?:\ (?:about|approximately|exactly|roughly|option|choice|given\ by|the\ number))?\s*[:=]?\s*
          | [a-zA-Z'\ ]*\b(?:answer|result|solution|total|option|choice)\b\ *[:=]?\s*
          | [a-zA-Z\ ]{2,40}:\ +
          | [a-zA-Z]\ *=\ *(?=\\(?:text|mathrm|mbox)\s*\{)
          | (?:so|thus|hence|therefore|then)\b[\s,:]*
          | \\(?:therefore|Rightarrow|implies|Longrightarrow)\b\s* )(?=\S)""",
    re.VERBOSE | re.IGNORECASE,
)
SAID = re.compile(r"\A\\(?:text|mbox)\s*\{([^{}]*(?:\bis|\banswer|[:=])\s*)\}", re.IGNORECASE)
REALS = re.compile(r"\A(?:\\text\{\s*)?all real(?: numbers|s)\s*\}?\Z", re.IGNORECASE)
TAIL = re.compile(r"\s+is\s+(?:correct|(?:the\s+)?(?:final\s+|correct\s+)?(?:answer|choice|option))\Z", re.IGNORECASE)
DECORATION = re.compile(
    r"</?(?:b|i|u|em|strong|br|p|code)\s*/?>|[✓✔✅☑]|\\(?:checkmark|large|Large|huge|small|normalsize)(?![a-zA-Z])"
    r"|\\(?:color|textcolor)\s*\{[a-zA-Z]+\}|\\underline(?=\s*\{)"
)
ALIGNED = re.compile(r"\\(?:begin|end)\s*\{(?:aligned|align\*?|equation\*?|gathered|split)\}")
CONTINUED = re.compile(r"(?:\\\\\s*)?&\s*(?==)")
CROSS = re.compile(r"(?<=\d)\s*[xX]\s*(?=\d)")


@lru_cache(maxsize=8192)
def settled(text: str) -> str:
    """Return the answer itself, in ASCII where that is possible: out of its box, its markdown, its sentence."""
    text = CROSS.sub(r"\\times ", DECORATION.sub("", _out_of_lines(text)))
    text = BOX_OF_NONE.sub(r"\\boxed{\1}", DOTS.sub(r"\\ldots ", plain(text)))
    text = unboxed(HEADING.sub("", MARKDOWN.sub("", LOGARITHM.sub(r"log_{\1}", text))))
    text = EMPHASIS.sub(r"\2", text)
    text = STYLES.sub(r"\\text", undelimited(text))
    text = TAIL.sub("", TRAILING.sub("", " ".join(without_sizes(text).split())))
    return REALS.sub(r"\\mathbb{R}", BASE.sub(_base, without_lead(text)))


def _base(base: re.Match[str]) -> str:
    number = base[1] or BASES.get(base[2])
    return f"_{{{number}}}" if number else base[0]


def _out_of_lines(text: str) -> str:
    """Return the text out of an environment that aligns lines, those that continue an equation joined."""
    return CONTINUED.sub("", ALIGNED.sub("", text)) if ALIGNED.search(text) else text


def plain(text: str) -> str:
    """Return the text with what LaTeX calls the signs of other scripts."""
    if text.isascii():
        return text
    text = THIN_SPACE.sub(r"\,", text)
    text = SUPERSCRIPT.sub(lambda raised: f"^{{{raised[0].translate(RAISED)}}}", text)
    text = SUBSCRIPT.sub(lambda lowered: f"_{{{lowered[0].translate(LOWERED)}}}", text)
    return "".join(map(_plain_sign, text))


@lru_cache(maxsize=4096)
def _plain_sign(sign: str) -> str:
    if sign.isascii():
        return sign
    if sign in SIGNS:
        return SIGNS[sign]
    if sign in GREEK:
        return f"\\{GREEK[sign]} "
    digit = unicodedata.decimal(sign, None)
    if digit is not None:
        return str(digit)
    parts = unicodedata.normalize("NFKC", sign)
    top, slash, bottom = parts.partition("⁄")
    if slash and top and bottom:
        return rf"\frac{{{top}}}{{{bottom}}}"
    return parts


def undelimited(text: str) -> str:
    """Return the text without the marks that open and close mathematics; a lone dollar is money."""
    if "\\" not in text and "$" not in text:
        return text
    text = DELIMITERS.sub(" ", text)
    return DOLLAR.sub(r"\\$" if len(DOLLAR.findall(text)) == 1 else " ", text)


def without_sizes(text: str) -> str:
    """Return LaTeX without what only says how large or how far apart things are."""
    if "\\" not in text and "~" not in text and "{,}" not in text:
        return text
    text = SIZES.sub(_size, text)
    return SPACES.sub(" ", GROUPED.sub("", text))


def _size(size: re.Match[str]) -> str:
    return r"\frac" if "frac" in size[0] else ""


def unboxed(text: str) -> str:
    r"""Return what stands in ``\boxed``, of several as a list; the whole text where a box is part of a formula."""
    if not BOX.search(text):
        return text
    inside, outside, rest = [], "", text
    while (box := BOX.search(rest)) is not None:
        end = closing(rest, box.end())
        if end is None:
            return text
        inside.append(rest[box.end() : end].strip())
        outside += f"{rest[: box.start()]}\0"
        rest = rest[end + 1 :]
    outside += rest
    around = re.sub(r"\\text\w*|\\[()\[\]]|[$\s.,;:\0]", "", outside)
    if not around or WORD.search(outside):
        return unboxed(", ".join(dict.fromkeys(inside)))
    for content in inside:
        outside = outside.replace("\0", f"{{{content}}}", 1)
    return outside


def closing(text: str, start: int) -> int | None:
    """Return where the brace that was opened before ``start`` is closed; None if it never is."""
    depth = 1
    for brace in re.compile(r"\\.|[{}]", re.DOTALL).finditer(text, start):
        depth += {"{": 1, "}": -1}.get(brace[0], 0)
        if not depth:
            return brace.start()
    return None


def without_lead(text: str) -> str:
    """Return the text without the words that announce an answer, unless they deny it."""
    text = SAID.sub(r"\1 ", text)
    while (lead := LEAD.match(text)) is not None and not NEGATION.search(lead[0].casefold()):
        text = text[lead.end() :]
    return text


WRAPPED = re.compile(r"\\(?:text|mathrm|mbox|operatorname|textbf)\s*\{([^{}]*)\}")
STOPS = re.compile(r"(?<!\d)\.|\.(?!\d)")
ARTICLE = re.compile(r"\A(?:an?|the)\s+(?=[a-z]{2})", re.IGNORECASE)
SPACE = re.compile(r"\s+(?!(?<=\d\s)\d)")


@lru_cache(maxsize=8192)
def normalised(text: str) -> str:
    """Return the text as it is compared where it is not read as mathematics: without space, markup and full stops."""
    bare = STOPS.sub("", WRAPPED.sub(r"\1", WRAPPED.sub(r"\1", settled(text)))).strip(" '\"")
    bare = SPACE.sub("", ARTICLE.sub("", bare))
    return bare if not (bare.startswith("{") and bare.endswith("}")) or "}" in bare[:-1] else bare[1:-1]
