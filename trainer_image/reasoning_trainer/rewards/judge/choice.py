"""Multiple choice: one letter, however it is given."""

from __future__ import annotations

import re

from .text import settled

LETTER = re.compile(r"\A[(\[{]?\s*([A-Z])\s*[)\]}]?\.?\Z")
WRAPPED = re.compile(r"\\(?:text|mathrm|mbox|textbf|mathbf)\s*\{([^{}]*)\}")
CHOSEN = re.compile(
    r"""\A(?:option|choice|answer)?\s*
    (?: (?:\(\s*([a-z])\s*\) | \[\s*([a-z])\s*\])(?!\s*[-+*/^=<>]\s)  | ([a-z])\s*[).:] | ([a-z])\Z ) (.*)""",
    re.DOTALL | re.IGNORECASE | re.VERBOSE,
)
OPTION = re.compile(r"\A\(\s*([A-Z])\s*\)\s+([\w\\$].*)\Z", re.DOTALL)
ANOTHER = re.compile(
    r"(?<![a-zA-Z])(?:[(\[]\s*[A-Za-z]\s*[)\]]|[B-HJ-Z]\b|[A-Z]\s*[):])"
    r"|(?:\A|\s)[a-e]\s*[):]|\b(?:or|and|not)\s+A\b"
)


def option(reference: str) -> tuple[str, str] | None:
    """Return the letter and the words of a reference that gives both: ``(B) 12 apples``; None if it does not."""
    found = OPTION.match(WRAPPED.sub(r"\1", settled(reference)).strip())
    return (found[1], found[2]) if found else None


def letter(reference: str) -> str | None:
    """Return the letter that the reference is, in capitals; None if it is more or less than one."""
    bare = WRAPPED.sub(r"\1", settled(reference)).strip()
    found = LETTER.match(bare) or re.match(r"\A[(\[]\s*([a-z])\s*[)\]]\Z", bare)
    return found[1].upper() if found else None


def chosen(answer: str) -> str | None:
    """Return the letter that the answer chooses, in capitals; None if it chooses none or several.

    ``(B)``, ``Option B`` and ``B) 12 apples`` choose B, ``A or B`` nothing.
    """
    bare = WRAPPED.sub(r"\1", settled(answer)).strip()
    found = CHOSEN.match(bare)
    if found is None or ANOTHER.search(found[5]):
        return None
    return str(next(filter(None, found.groups()))).upper()
