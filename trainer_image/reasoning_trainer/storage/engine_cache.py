"""Keeps two processes from building vLLM's engine on one cache at the same time."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

PATIENCE_SECONDS = 300.0
"""Longest wait for another process: an engine that compiles everything was built in 136 s."""


@contextmanager
def exclusive(say: Callable[[str], None], *, when: bool, patience: float = PATIENCE_SECONDS) -> Iterator[None]:
    """Hold the cache of vLLM's engine, or go on without its compiled graphs if that cannot be had.

    vLLM 0.26 writes the index of its compiled graphs in place (``CompilerManager.save_to_file``), and the graphs under
    a temporary name made of the process' id (``save_aot_compiled_function``), which is 1 in every pod. Whoever waits
    for the other finds them ready.

    Parameters
    ----------
    say
        Prints a line for people.
    when
        Whether an engine is built at all.
    patience
        Seconds to wait for another process.
    """
    if not when:
        yield
        return
    folder = Path(os.environ["VLLM_CACHE_ROOT"])
    folder.mkdir(parents=True, exist_ok=True)
    # a lock on an open file ends with its process, however that ends
    with (folder / "engine.lock").open("a") as file:
        if not _lock(file.fileno(), say, patience):
            os.environ["VLLM_DISABLE_COMPILE_CACHE"] = "1"
        yield


def _lock(descriptor: int, say: Callable[[str], None], patience: float) -> bool:
    deadline, waiting = time.monotonic() + patience, False
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                say(f"another job still builds vLLM's engine on this cache after {patience:g} s: going on without it")
                return False
            if not waiting:
                say("waiting for another job that builds vLLM's engine on this cache")
                waiting = True
            time.sleep(min(1.0, patience / 10))
        except OSError as error:
            say(f"the cache's file system has no locks ({error}): going on without vLLM's compiled graphs")
            return False
        else:
            return True
