"""Talking to the machine and to the person: commands, waiting, one command at a time, plain refusals."""

from __future__ import annotations

import fcntl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO


class RefusedError(Exception):
    """Something the person at the keyboard can put right; the message says how."""


def say(message: str) -> None:
    """Tell what happens now, on stderr: stdout belongs to the answers (paths, kubeconfig)."""
    print(f"localcluster: {message}", file=sys.stderr, flush=True)


def run(
    command: Sequence[str | Path],
    *,
    stdin: str | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> str:
    """Run a command to its end and return its stdout.

    Raises
    ------
    RefusedError
        It exited non-zero; the message carries the end of what it printed.
    """
    done = subprocess.run(
        [str(part) for part in command], input=stdin, env=env, cwd=cwd, capture_output=True, text=True
    )
    if done.returncode:
        said = "\n".join((done.stdout + done.stderr).strip().splitlines()[-15:])
        raise RefusedError(f"`{_shown(command)}` failed with exit code {done.returncode}:\n{said}")
    return done.stdout


def succeeds(command: Sequence[str | Path], *, seconds: float = 10) -> bool:
    """Whether a command exits with 0 within a time."""
    try:
        done = subprocess.run([str(part) for part in command], capture_output=True, timeout=seconds)
    except (FileNotFoundError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def stream(command: Sequence[str | Path], *, env: Mapping[str, str] | None = None, cwd: Path | None = None) -> None:
    """Run a long command whose output the person should see.

    Raises
    ------
    RefusedError
        It exited non-zero.
    """
    done = subprocess.run([str(part) for part in command], env=env, cwd=cwd, stdout=sys.stderr)
    if done.returncode:
        raise RefusedError(f"`{_shown(command)}` failed with exit code {done.returncode}; its output is above")


def until(what: str, check: Callable[[], bool], *, seconds: float, pause: float = 0.1) -> None:
    """Poll until a check holds.

    Parameters
    ----------
    what
        What is waited for, as the end of the sentence "gave up waiting for ...".
    check
        Asked again and again; may raise `RefusedError` to give up early.
    seconds, pause
        Deadline, and time between two checks, in seconds.

    Raises
    ------
    RefusedError
        The check did not hold before the deadline.
    """
    deadline = time.monotonic() + seconds
    while not check():
        if time.monotonic() > deadline:
            raise RefusedError(f"gave up waiting for {what} after {seconds:.0f} s")
        time.sleep(pause)


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold the folder's lock: two commands on one state folder run one after the other."""
    with _lock_file(folder) as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"another command is at work on {folder}: waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _lock_file(folder: Path) -> IO[str]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return (folder / "lock").open("w")
    except PermissionError as problem:
        raise RefusedError(
            f"{folder} is not yours to write (made as root, perhaps): "
            "run this as root, or set STATE_DIR to a folder of your own"
        ) from problem


def _shown(command: Sequence[str | Path]) -> str:
    return " ".join(str(part) for part in command[:8]) + (" ..." if len(command) > 8 else "")
