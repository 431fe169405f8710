"""Shows how far a download is."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from ..download import Tell


@contextmanager
def telling() -> Iterator[Tell]:
    """Give a function that is told of every piece: bars on a terminal, else a line for each file that is here."""
    if not sys.stderr.isatty():
        yield _line
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bars:
        tasks = {}

        def tell(name: str, here: int, size: int) -> None:
            if name not in tasks:
                tasks[name] = bars.add_task(name, total=size)
            bars.update(tasks[name], completed=here)

        yield tell


def _line(name: str, here: int, size: int) -> None:
    if here == size:
        print(f"{name}  {size} bytes", file=sys.stderr)
