"""What a worker's threads are doing: faulthandler writes it on a signal, even while native code holds Python's lock."""

from __future__ import annotations

import faulthandler
import os
import re
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import PurePath

ASK = signal.SIGUSR2
"""Of the two signals that programs may use as they like, the one that no engine uses."""
WAIT_SECONDS, GLANCE_SECONDS = 5.0, 0.2
SHOWN = 6
"""Calls that a message names."""
THREAD = re.compile(r"^(?:Current t|T)hread 0x", re.MULTILINE)
CALL = re.compile(r'^  File "(?P<file>[^"]*)", line (?P<line>\d+|\?\?\?) in (?P<name>.+)$', re.MULTILINE)
UNKNOWN = "a place that it does not tell"


def answer(descriptor: int) -> None:
    """Have this process, a worker, write the calls of all its threads to a descriptor whenever it is asked."""
    os.set_inheritable(descriptor, False)
    faulthandler.register(ASK, file=descriptor, all_threads=True)


@contextmanager
def unanswered() -> Iterator[None]:
    """Have processes that are started meanwhile ignore the question until they can answer: it would end them."""
    before = signal.signal(ASK, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(ASK, before)


class Calls:
    """A file in memory that a worker answers into: no full volume and no slow reader keeps it from that."""

    def __init__(self) -> None:
        self.descriptor = os.memfd_create("calls")
        os.set_inheritable(self.descriptor, True)

    def ask(self, pid: int) -> str:
        """Ask a process and return its answer; empty where it gives none within `WAIT_SECONDS`."""
        start = seen = os.fstat(self.descriptor).st_size
        with suppress(ProcessLookupError):
            os.kill(pid, ASK)
        deadline = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < deadline:
            time.sleep(GLANCE_SECONDS)
            size = os.fstat(self.descriptor).st_size
            if size == seen > start:
                break
            seen = size
        return os.pread(self.descriptor, seen - start, start).decode("utf-8", "replace")

    def close(self) -> None:
        """Forget the answers."""
        os.close(self.descriptor)


def innermost(text: str) -> str:
    """Return the innermost calls of the main thread, which faulthandler writes last, in one line."""
    main = THREAD.split(text)[-1]
    calls = [f"{call['name']} ({PurePath(call['file']).name}:{call['line']})" for call in CALL.finditer(main)]
    return " < ".join(calls[:SHOWN]) or UNKNOWN
