"""Tells when the Hub does not answer: its libraries repeat a request for minutes, and say so in their log alone."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

LIBRARIES = ("huggingface_hub", "datasets")
FAILED = "thrown while requesting"
REPEATED = re.compile(r"\[(Retry )?\d+/\d+\]")
"""How many times of how many, in brackets."""
QUERY = re.compile(r"\?\S+")
"""What follows an address; where files lie elsewhere it holds a signature."""


class _Handler(logging.Handler):
    def __init__(self, say: Callable[[str], None]) -> None:
        super().__init__(logging.WARNING)
        self._say, self._failed = say, ""

    def emit(self, record: logging.LogRecord) -> None:
        """Say what is repeated, with why it failed, which the libraries log before."""
        text = QUERY.sub("", record.getMessage())
        if FAILED in text:
            self._failed = text.rstrip(".")
        elif REPEATED.search(text):
            self._say(f"the Hub did not answer: {'; '.join(filter(None, (self._failed, text)))}")


@contextmanager
def told(say: Callable[[str], None]) -> Iterator[None]:
    """Have the libraries' repeated requests said."""
    handler = _Handler(say)
    loggers = [logging.getLogger(name) for name in LIBRARIES]
    for logger in loggers:
        logger.addHandler(handler)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeHandler(handler)
