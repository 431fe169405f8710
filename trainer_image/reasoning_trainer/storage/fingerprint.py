"""Tells whether rows and files are those that a run was begun with."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

BLOCK = 1 << 16
BLOCKS = 16
"""How much of a file is looked at: so many blocks, evenly spaced. Training changes all weights of a file."""
DIGITS = 16


def of_rows(rows: Sequence[object]) -> dict[str, object]:
    """Return how many rows there are, what they hold, and in what order they come."""
    texts = [repr(row) for row in rows]
    return {"count": len(texts), "content": _digest("\n".join(sorted(texts))), "order": _digest("\n".join(texts))}


def of_text(text: str) -> str:
    """Return the digest of a text."""
    return _digest(text)


def of_folder(folder: Path) -> dict[str, str]:
    """Return size and digest of every file in a folder; of large files, of blocks that are spread over them."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): _of_file(path) for path in sorted(files)}


def _of_file(path: Path) -> str:
    size = path.stat().st_size
    whole = size <= BLOCK * BLOCKS
    with path.open("rb") as file:
        if whole:
            content = file.read()
        else:
            content = b""
            for number in range(BLOCKS):
                file.seek(number * (size - BLOCK) // (BLOCKS - 1))
                content += file.read(BLOCK)
    return f"{size} bytes, {hashlib.sha256(content).hexdigest()[:DIGITS]}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:DIGITS]
