"""Waiting for what a test expects, with a deadline instead of a sleep."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def eventually(
    look: Callable[[], T | None], what: str | Callable[[], str], seconds: float = 30, *, pause: float = 0.1
) -> T:
    """Return what `look` finds, as soon as it finds something; fail with `what`, and what was seen last."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        if time.monotonic() > deadline:
            described = what if isinstance(what, str) else what()
            raise AssertionError(f"not seen in {seconds:g} s: {described} (last: {found!r})")
        time.sleep(pause)
    return found
