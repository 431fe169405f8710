"""Keeps two processes from building vLLM's engine on one cache at the same time."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import gettempdir

PATIENCE_SECONDS = 300.0
"""Longest wait for another process: an engine that compiles everything was built in 136 s."""


@contextmanager
def exclusive(
    say: Callable[[str], None], *, when: bool, gpu: str | None = None, patience: float = PATIENCE_SECONDS
) -> Iterator[None]:
    """Hold the GPU and the cache of vLLM's engine, or go on without its compiled graphs if the cache cannot be had.

    vLLM 0.26 writes the index of its compiled graphs in place (``CompilerManager.save_to_file``), and the graphs under
    a temporary name made of the process' id (``save_aot_compiled_function``), which is 1 in every pod. Whoever waits
    for the other finds them ready. While it measures what memory is left it takes what another process gives back on
    the same GPU for an error.

    Parameters
    ----------
    say
        Prints a line for people.
    when
        Whether an engine is built at all.
    gpu
        Name of the GPU; its lock is among the processes of one machine or container that build caches of their own.
    patience
        Seconds to wait for another process.
    """
    if not when:
        yield
        return
    folder = Path(os.environ["VLLM_CACHE_ROOT"])
    with ExitStack() as held:
        if gpu is not None:
            _hold(held, Path(gettempdir(), f"reasoning-trainer-{gpu}.lock"), "on this GPU", say, patience)
        if not _hold(held, folder / "engine.lock", "on this cache", say, patience):
            os.environ["VLLM_DISABLE_COMPILE_CACHE"] = "1"
        yield


def _hold(held: ExitStack, path: Path, where: str, say: Callable[[str], None], patience: float) -> bool:
    """Lock a file as long as `held` is held, and return whether it is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        # a lock on an open file ends with its process, however that ends
        file = held.enter_context(path.open("a"))
    except PermissionError:  # another user's file: that one's pods are not this one's
        return False
    return _lock(file.fileno(), where, say, patience)


def _lock(descriptor: int, where: str, say: Callable[[str], None], patience: float) -> bool:
    deadline, waiting = time.monotonic() + patience, False
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                say(f"another job still builds vLLM's engine {where} after {patience:g} s: going on without it")
                return False
            if not waiting:
                say(f"waiting for another job that builds vLLM's engine {where}")
                waiting = True
            time.sleep(min(1.0, patience / 10))
        except OSError as error:
            say(f"no locks {where} ({error}): going on without vLLM's compiled graphs")
            return False
        else:
            return True
