"""Puts the walls up, in the order that the kernel demands, and says which of them stand."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from . import confine, landlock, libc, seccomp
from .syscalls import MACHINES

LIBRARIES = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/etc/ld.so.cache", "/usr/share/zoneinfo")
"""Where the libraries that the interpreter's modules link to lie, and the time zones."""
DEVICES = ("/dev/urandom", "/dev/random", "/dev/zero")


@dataclass(frozen=True)
class Walls:
    """Which walls a box has.

    Attributes
    ----------
    missing
        Wall -> why it does not stand.
    landlock
        Version of Landlock, 0 for none: 1 files, 4 TCP, 6 abstract sockets and signals. What a version lacks beyond
        files the filter of system calls holds alone.
    tmp
        Whether the box has files of its own, bounded.
    """

    missing: dict[str, str]
    landlock: int
    tmp: bool


@dataclass(frozen=True)
class Site:
    """Where a box stands.

    Attributes
    ----------
    limits
        What it may use up.
    libraries
        Folders that it may read, and import from, beside the interpreter's own.
    tmp
        An empty folder for its files, if it may have any.
    bounded
        Whether that folder is bounded by itself; else the box mounts its own over it, or has none.
    """

    limits: confine.Limits
    libraries: tuple[Path, ...]
    tmp: Path | None
    bounded: bool


def put_up(site: Site) -> Walls:
    """Shut this process, which must have one thread, for good."""
    version, missing = landlock.abi(), dict[str, str]()
    in_namespace = not site.bounded and site.tmp is not None and confine.mount_tmp(site.tmp, site.limits.tmp)
    tmp = site.tmp if site.bounded or in_namespace else None
    counted = in_namespace and os.geteuid() != 0
    confine.take_own_user(tmp)
    # Landlock bounds what may be read by right of it
    confine.drop_capabilities(reading=version > 0)
    libc.prctl(libc.PR_SET_NO_NEW_PRIVS, 1)
    # after the user is changed, which would take it back: a box never outlives who started it
    libc.prctl(libc.PR_SET_PDEATHSIG, 9)
    confine.limit(site.limits, 1 if counted else confine.tasks_of_user())
    if os.getuid() == 0:
        missing["processes"] = "the kernel does not count root's threads: run as an ordinary user"
    os.chdir(tmp or "/")
    readable = [*_interpreter(), *site.libraries, *map(Path, LIBRARIES), *map(Path, DEVICES)]
    if version:
        landlock.restrict(version, filter(Path.exists, readable), [Path("/dev/null"), *([tmp] if tmp else [])])
    machine = MACHINES.get(os.uname().machine)
    if machine:
        try:
            seccomp.load(seccomp.program(machine, os.getpid()))
        except OSError as error:
            missing["system calls"] = f"seccomp: {error.strerror}"
    return Walls(missing | dict(_open(machine is not None)), version, tmp is not None)


def _interpreter() -> Iterator[Path]:
    """Yield the folders that this interpreter imports from, as far as they are its own."""
    prefixes = {sys.prefix, sys.base_prefix}
    yield from (Path(entry) for entry in sys.path if any(Path(entry).is_relative_to(prefix) for prefix in prefixes))


def _open(known_machine: bool) -> Iterator[tuple[str, str]]:
    """Try the two walls that the others rest on, and yield what is open: a wall is believed once it has held."""
    try:
        os.listdir("/")
    except PermissionError:
        pass
    else:
        yield "files", "the kernel has no Landlock: it needs Linux 5.13 or later, with `landlock` among its modules"
    try:
        socket.socket(socket.AF_UNIX).close()
    except PermissionError:
        return
    reason = "the kernel takes no filter" if known_machine else f"no filter is known for {os.uname().machine}"
    yield "system calls", f"{reason}: it needs seccomp on x86_64 or aarch64"
