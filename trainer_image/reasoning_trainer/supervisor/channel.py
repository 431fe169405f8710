"""What a worker is told when it starts, and what it tells its supervisor: JSON lines over a pipe.

The pipe is the buffer. A worker waits only where its supervisor is some dozens of reports behind; a supervisor that is
gone takes its worker with it.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

from reasoning_contract.outcome import Outcome
from reasoning_contract.progress import Progress
from reasoning_contract.rules import Part
from reasoning_contract.text import Told

LINE_LIMIT = 4 << 20
"""Longest message, bytes: a report has a few thousand."""


class Order(Part):
    """What a worker is to do: its one argument, as JSON."""

    job: Path
    """The manifest."""
    output: Path
    """The run's folder."""
    configmaps: Path | None = None
    """Folder with NAME/KEY for configmap:// sources."""
    claims: Path | None = None
    """Folder with CLAIM/PATH for pvc:// sources."""
    attempt: int = 1
    """Number of this attempt."""
    gpu_seconds: float = 0.0
    """GPU-seconds of the attempts before."""
    channel: int | None = None
    """Descriptor of the pipe's end that it writes to; None where it is called in the supervisor's own process."""
    calls: int | None = None
    """Descriptor that it writes its threads' calls to when it is asked; None as above."""


class Message(Part):
    """One line: a report, a text for people, or the worker's last word."""

    progress: Progress | None = None
    """The whole report."""
    said: Told | None = None
    """A line for people."""
    outcome: Outcome | None = None
    """How it ends; its report is the last that was sent."""


class Sender:
    """The worker's end of the pipe, for all of its threads."""

    def __init__(self, descriptor: int) -> None:
        self._file = os.fdopen(descriptor, "wb")
        self._lock = threading.Lock()

    def send(self, message: Message) -> None:
        """Send a message; it waits where the pipe is full."""
        line = message.model_dump_json(by_alias=True, exclude_none=True).encode() + b"\n"
        with self._lock:
            self._file.write(line)
            self._file.flush()


def receive(descriptor: int) -> Iterator[Message]:
    """Yield what a worker sends until it closes the pipe; half a line that it left when it died is no message."""
    with os.fdopen(descriptor, "rb") as file:
        while line := file.readline(LINE_LIMIT):
            if line.endswith(b"\n"):
                yield Message.model_validate_json(line)
            elif len(line) == LINE_LIMIT:
                raise ValueError(f"a worker's message is longer than {LINE_LIMIT} bytes")
