"""Finds the program in a completion."""

from __future__ import annotations

import re

FENCE = re.compile(r"^[ \t]{0,3}```[^\n`]*$", re.MULTILINE)


def program_of(answer: str) -> str:
    """Return the program of an answer: what stands in its last closed block of code, else all of it."""
    fences = list(FENCE.finditer(answer))
    if len(fences) < 2:
        return answer
    opening, closing = fences[-2 - len(fences) % 2], fences[-1 - len(fences) % 2]
    return answer[opening.end() : closing.start()].strip("\n")
