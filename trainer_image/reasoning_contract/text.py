"""Text that people are told, which may quote what a row, a library or a user's program has said."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator

_STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""What steers a terminal (but for line ends and tabs), turns the direction of the text around it, or is half a
character, which no UTF-8 can carry."""


def printable(text: str) -> str:
    """Return a text with what steers a terminal, or cannot be encoded, as the escape that Python writes for it."""
    return _STEERING.sub(lambda found: repr(found[0])[1:-1], text.replace("\r\n", "\n"))


Told = Annotated[str, AfterValidator(printable)]
"""Text that people are told: whatever it quotes, an API server takes it, and a terminal shows it as it is."""
