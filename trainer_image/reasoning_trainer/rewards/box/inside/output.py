"""What the user's code prints: kept up to a bound, and handed back."""

from __future__ import annotations

import io

PRINT_LIMIT = 16_384
"""Characters of what one batch prints that are kept."""


class Printed(io.TextIOBase):
    """A stream that keeps the beginning of what is written to it."""

    encoding = "utf-8"

    def __init__(self, limit: int = PRINT_LIMIT) -> None:
        self._limit = limit
        self._parts: list[str] = []
        self._room = limit
        self._cut = 0

    def writable(self) -> bool:
        """Return that it can be written to."""
        return True

    def write(self, text: str) -> int:
        """Keep the text, as far as there is room."""
        if kept := text[: self._room]:
            self._parts.append(kept)
            self._room -= len(kept)
        self._cut += len(text) - len(kept)
        return len(text)

    def take(self) -> str:
        """Return what was written since the last time."""
        text = "".join(self._parts) + (f"\n[{self._cut} characters more]\n" if self._cut else "")
        self._parts, self._room, self._cut = [], self._limit, 0
        return text
