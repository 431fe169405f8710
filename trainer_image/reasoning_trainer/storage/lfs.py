"""Pointers of Git LFS: small texts that a checkout without LFS has in the place of large files."""

from __future__ import annotations

from pathlib import Path

MARK = b"version https://git-lfs.github.com/spec/"
MOST_BYTES = 1024
"""A pointer is smaller, by its specification."""


def is_pointer(content: bytes) -> bool:
    """Whether the content of a file is a pointer."""
    return content.startswith(MARK) and len(content) < MOST_BYTES


def pointers(folder: Path) -> list[str]:
    """Return the names of the files of a folder that are pointers."""
    small = (path for path in folder.iterdir() if path.is_file() and path.stat().st_size < MOST_BYTES)
    return sorted(path.name for path in small if is_pointer(path.read_bytes()))
