"""What the worker prints: handed on line by line, and its end kept for whoever explains how it died."""

from __future__ import annotations

import os
import sys
from collections import deque

LINES, CHARACTERS = 80, 2000
"""Lines that are kept, and the most of each."""
TOLD = 500
"""Characters of the log that a last word quotes: Kubernetes keeps 4,096 bytes of it all."""
FATAL = "Fatal Python error"
"""Where Python's faulthandler begins; the innermost call comes first, and the names of all modules last."""


class Log:
    """The end of a log."""

    def __init__(self) -> None:
        self._lines: deque[str] = deque(maxlen=LINES)

    def pass_on(self, descriptor: int) -> None:
        """Print what comes from a pipe until it is closed."""
        with os.fdopen(descriptor, encoding="utf-8", errors="replace", newline="\n") as file:
            while line := file.readline(CHARACTERS):
                self._lines.append(line)
                sys.stderr.write(line)
                sys.stderr.flush()

    def end(self) -> str:
        """Return what tells most: from the beginning of a fatal error of Python's, or else the last lines."""
        text = "".join(self._lines).strip()
        return text[text.rindex(FATAL) :][:TOLD] if FATAL in text else text[-TOLD:]
