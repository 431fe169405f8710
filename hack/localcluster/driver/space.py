"""Room on the disk: what is only a cache goes before anything is refused for want of it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from .shell import RefusedError, say


@dataclass(frozen=True)
class Cache:
    """Something that is made or fetched again when it is missed.

    Attributes
    ----------
    what
        Its name, for a person.
    free
        Deletes it.
    """

    what: str
    free: Callable[[], None]


def require(folder: Path, gib: float, what: str, caches: Sequence[Cache] = ()) -> None:
    """See to it that the folder's disk has room.

    Parameters
    ----------
    gib
        GiB that must be free.
    what
        What needs them, as the subject of a sentence.
    caches
        Freed one after the other until there is room, so the cheapest to have again comes first.

    Raises
    ------
    RefusedError
        There is still too little; the message names the space needed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for cache in caches:
        before = _free(folder)
        if not problem(before, gib, what, folder):
            return
        cache.free()
        say(f"{what} needs {gib:.1f} GiB of disk: freed {(_free(folder) - before) / 2**30:.1f} GiB of {cache.what}")
    if refusal := problem(_free(folder), gib, what, folder):
        raise RefusedError(refusal)


def problem(free_bytes: int, gib: float, what: str, folder: Path) -> str | None:
    """What to tell somebody whose disk is too full for something, or None if it is not."""
    free = free_bytes / 2**30
    if free >= gib:
        return None
    return (
        f"{what} needs {gib:.1f} GiB of disk and {folder} has {free:.1f} GiB free: "
        "make room, or set STATE_DIR to a folder on a larger disk"
    )


def _free(folder: Path) -> int:
    return shutil.disk_usage(folder).free
