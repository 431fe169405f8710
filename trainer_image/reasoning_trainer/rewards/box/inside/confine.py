"""What bounds the box's process beside files and system calls: its user, what it may use up, and a small /tmp."""

from __future__ import annotations

import os
import resource
from dataclasses import dataclass
from pathlib import Path

from . import libc

FIRST_USER, USERS = 1_000_000_000, 1_000_000_000
"""Where root takes a user from for a box: far above those of people and services."""


@dataclass(frozen=True)
class Limits:
    """What a box may use up.

    Attributes
    ----------
    memory
        Bytes of address space; Python with numpy takes some 300 MiB of it before it computes anything.
    processes
        Threads beside its own; it starts no processes.
    open_files
        Open descriptors.
    file_size
        Bytes of a file that it writes.
    tmp
        Bytes of all its files, where the box mounts its own /tmp.
    cpus
        Processors it runs on.
    """

    memory: int = 2**30
    processes: int = 32
    open_files: int = 64
    file_size: int = 16 * 2**20
    tmp: int = 32 * 2**20
    cpus: int = 1


def mount_tmp(folder: Path, size: int) -> bool:
    """Mount a small file system in memory that only this process sees, and return whether that could be done.

    Root may, in a mount namespace of its own; others may where the system lets them have a user namespace.
    """
    user, group = os.geteuid(), os.getegid()
    try:
        libc.unshare(libc.CLONE_NEWNS if user == 0 else libc.CLONE_NEWNS | libc.CLONE_NEWUSER)
        if user:
            Path("/proc/self/setgroups").write_text("deny", encoding="ascii")
            Path("/proc/self/uid_map").write_text(f"{user} {user} 1", encoding="ascii")
            Path("/proc/self/gid_map").write_text(f"{group} {group} 1", encoding="ascii")
        libc.mount("none", "/", None, libc.MS_REC | libc.MS_PRIVATE)
        flags = libc.MS_NOSUID | libc.MS_NODEV | libc.MS_NOEXEC
        libc.mount("tmpfs", str(folder), "tmpfs", flags, f"size={size},nr_inodes=1024,mode=1777")
    except OSError:
        return False
    return True


def take_own_user(folder: Path | None) -> None:
    """As root, become a user that nobody else is, so that what it may start is counted for this box alone.

    Does nothing for an ordinary user, nor for root without the right to change users. The folder goes with it.
    """
    if os.geteuid() != 0:
        return
    user = FIRST_USER + int.from_bytes(os.urandom(8), "big") % USERS
    libc.prctl(libc.PR_SET_KEEPCAPS, 1)
    try:
        if folder:
            os.chown(folder, user, user)
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)
    except OSError:
        return


def drop_capabilities(reading: bool) -> None:
    """Drop all capabilities; one that was root may keep the reading of all files, for an interpreter under /root."""
    try:
        libc.keep_capabilities(libc.READ_SEARCH if reading else 0)
    except PermissionError:
        libc.keep_capabilities(0)


def tasks_of_user() -> int:
    """Return how many threads this process's user has, as far as can be seen."""
    user, count = os.getuid(), 0
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            count += len(os.listdir(folder / "task")) if folder.stat().st_uid == user else 0
        except OSError:  # it has ended
            continue
    return count


def limit(limits: Limits, tasks: int) -> None:
    """Set the limits, for good; `tasks` are the threads that the user has already, for the kernel counts by user."""
    for kind, value in (
        (resource.RLIMIT_AS, limits.memory),
        (resource.RLIMIT_NPROC, tasks + limits.processes),
        (resource.RLIMIT_NOFILE, limits.open_files),
        (resource.RLIMIT_FSIZE, limits.file_size),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_MEMLOCK, 0),
        (resource.RLIMIT_MSGQUEUE, 0),
        (resource.RLIMIT_SIGPENDING, tasks + limits.processes),
    ):
        hard = resource.getrlimit(kind)[1]
        bound = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (bound, bound))
    allowed = sorted(os.sched_getaffinity(0))
    first = os.urandom(1)[0] % len(allowed)
    os.sched_setaffinity(0, (allowed[first:] + allowed[:first])[: limits.cpus])
