"""Tells how much of a download has come, for people and for whoever watches that the run goes on."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeAlias

from .hub_models import HUB

TOLD_SECONDS = 10.0
"""How often it is told."""
Place: TypeAlias = tuple[Path, str]
"""A folder, and the pattern of what lies in it; it need not be there yet."""


@contextmanager
def arrivals_told(what: str, places: Sequence[Place], say: Callable[[str], None]) -> Iterator[None]:
    """Tell every `TOLD_SECONDS` how much has come, as long as the body lasts; nothing where nothing can come.

    Parameters
    ----------
    what
        What is being done, for people.
    places
        Where files come to: `of_model`, `of_data_set`.
    say
        Is told, in another thread.
    """
    over = threading.Event()

    def tell() -> None:
        while not over.wait(TOLD_SECONDS):
            say(f"{what}, {_bytes(places) / (1 << 20):.1f} MiB have come")

    if not places:
        yield
        return
    teller = threading.Thread(target=tell, name="arrivals", daemon=True)
    teller.start()
    try:
        yield
    finally:
        over.set()
        teller.join()


def of_model(source: str) -> list[Place]:
    """Return where the files of a Hub model come to; nothing for another source."""
    return [_blobs("models", source)] if source.startswith(HUB) else []


def of_data_set(source: str) -> list[Place]:
    """Return where the rows of a Hub data set come to, and where they are then written as tables."""
    if not source.startswith(HUB):
        return []
    from huggingface_hub.constants import HF_HOME

    owner = source.removeprefix(HUB).partition("/")[0]
    # the set's own name is written in another way there
    return [_blobs("datasets", source), (Path(HF_HOME, "datasets"), f"{owner}___*/**/*")]


def _blobs(kind: str, source: str) -> Place:
    from huggingface_hub.constants import HF_HUB_CACHE

    return Path(HF_HUB_CACHE), f"{kind}--{source.removeprefix(HUB).replace('/', '--')}/blobs/*"


def _bytes(places: Sequence[Place]) -> int:
    return sum(_size(path) for folder, pattern in places for path in folder.glob(pattern))


def _size(path: Path) -> int:
    with suppress(OSError):  # a file gets another name when it is whole
        return path.stat().st_size if path.is_file() else 0
    return 0
