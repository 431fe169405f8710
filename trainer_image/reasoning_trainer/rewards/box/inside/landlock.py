"""The wall around files: Landlock, which a process puts up around itself without privilege (Linux 5.13 and later)."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterable
from pathlib import Path

from . import libc

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
VERSION = 1
PATH_BENEATH = 1

READ_FILE, READ_DIR = 1 << 2, 1 << 3
FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 5: 16}
"""ABI -> how many of the rights on files, counted from the lowest bit, the kernel knows from then on."""
TCP_ABI, TCP_RIGHTS = 4, 0b11
SCOPE_ABI, SCOPES = 6, 0b11
READ = READ_FILE | READ_DIR
WRITABLE = sum(1 << bit for bit in (1, 2, 3, 4, 5, 7, 8, 13, 14))
"""Of a folder: write and read files, list and remove both, make both, refer and truncate; never to execute, nor to make
devices, sockets, pipes or symbolic links."""
OF_FILES = sum(1 << bit for bit in (0, 1, 2, 14, 15))
"""The rights that mean something on what is no folder."""


class _Ruleset(ctypes.Structure):
    _fields_ = [("fs", ctypes.c_uint64), ("net", ctypes.c_uint64), ("scoped", ctypes.c_uint64)]


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = [("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32)]


def abi() -> int:
    """Return the version of Landlock that the kernel has; 0 for none."""
    try:
        return libc.syscall(CREATE_RULESET, None, 0, VERSION)
    except OSError:
        return 0


def file_rights(version: int) -> int:
    """Return all rights on files that a version of Landlock knows: it takes them away unless a rule gives them."""
    return int((1 << max(count for since, count in FILE_RIGHTS.items() if since <= version)) - 1)


def restrict(version: int, readable: Iterable[Path], writable: Iterable[Path]) -> None:
    """Take every right on files from this process and its threads to come, but those on these files and folders.

    Where the kernel can, TCP, abstract sockets of others and signals to others go too.
    """
    attributes = _Ruleset(
        file_rights(version),
        TCP_RIGHTS if version >= TCP_ABI else 0,
        SCOPES if version >= SCOPE_ABI else 0,
    )
    known = 8 if version < TCP_ABI else 16 if version < SCOPE_ABI else 24
    ruleset = libc.syscall(CREATE_RULESET, ctypes.pointer(attributes), known, 0)
    for path in readable:
        _allow(ruleset, path, READ & attributes.fs)
    for path in writable:
        _allow(ruleset, path, WRITABLE & attributes.fs)
    libc.syscall(RESTRICT_SELF, ruleset, 0)
    os.close(ruleset)


def _allow(ruleset: int, path: Path, rights: int) -> None:
    parent = os.open(path, os.O_PATH | os.O_CLOEXEC)
    allowed = rights if path.is_dir() else rights & OF_FILES
    libc.syscall(ADD_RULE, ruleset, PATH_BENEATH, ctypes.pointer(_PathBeneath(allowed, parent)), 0)
    os.close(parent)
