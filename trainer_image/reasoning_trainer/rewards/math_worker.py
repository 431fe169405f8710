"""The process behind `MathJudge`: reads ``[reference, answer]`` a line, writes ``true``, ``false`` or ``null``."""

from __future__ import annotations

import json
import logging
import resource
import sys
from typing import Any

from math_verify import parse, verify

MEMORY_BYTES = 4 << 30
"""Address space of this process: an expression that needs more is none that a model should answer with."""
MARKS = ("$", "\\boxed", "\\(", "\\[")


def same(reference: str, answer: str) -> bool | None:
    """Return whether math-verify takes the two for equal; None if it cannot parse the reference.

    Time limits are off: the parent process holds them.
    """
    right = _parse(reference)
    return bool(verify(right, _parse(answer), timeout_seconds=None)) if right else None


def _parse(text: str) -> list[Any]:
    """Parse as LaTeX: of bare text math-verify would take the last number alone, 3 for ``x^2+3``."""
    text = " ".join(text.split())
    marked = text if any(mark in text for mark in MARKS) else f"${text}$"
    parsed: list[Any] = parse(marked, fallback_mode="no_fallback", parsing_timeout=None)
    return parsed


def main() -> None:
    """Answer until the input ends."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    logging.getLogger("math_verify").setLevel(logging.ERROR)  # it warns that its own time limits are off
    replies, sys.stdout = sys.stdout, sys.stderr  # whatever a library prints is no reply
    print("ready", file=replies, flush=True)
    for line in sys.stdin:
        print(json.dumps(same(*json.loads(line))), file=replies, flush=True)


if __name__ == "__main__":
    main()
