"""Writes to the volume in a thread of its own: where a volume hangs, nobody else does."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from queue import SimpleQueue

PATIENCE_SECONDS = 15.0
"""How long to wait for what must be written at the end; less than `LAST_WORD_SECONDS`, after which all is killed."""


class VolumeWriter:
    """A thread that does one piece of work after another, in their order.

    A call that reads or writes a volume whose server is gone returns when that is back, and no sooner. The thread is
    left to it when the process ends.
    """

    def __init__(self) -> None:
        self._pieces: SimpleQueue[tuple[Callable[[], None], Future[None]]] = SimpleQueue()
        threading.Thread(target=self._run, name="volume", daemon=True).start()

    def put(self, work: Callable[[], None]) -> Future[None]:
        """Have a piece of work done after all that came before, and return what becomes of it."""
        done: Future[None] = Future()
        self._pieces.put((work, done))
        return done

    def finish(self, work: Callable[[], None]) -> bool:
        """Have a piece of work done and wait for it; what it raises is raised.

        Returns
        -------
        bool
            Whether it was done within `PATIENCE_SECONDS`.
        """
        done = self.put(work)
        wait([done], PATIENCE_SECONDS)
        if not done.done():
            return False
        done.result()
        return True

    def _run(self) -> None:
        while True:
            work, done = self._pieces.get()
            try:
                work()
                done.set_result(None)
            except Exception as error:
                done.set_exception(error)
