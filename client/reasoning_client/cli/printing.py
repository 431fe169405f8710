"""How commands print: tables for people, JSON and YAML for programs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from .options import Output

GAP = 3
"""Characters between two columns."""
LEAST = 16
"""Characters that a column which may be cut keeps."""


def emit(data: Any, output: Output) -> None:
    """Print data as JSON or YAML."""
    if output == Output.json:
        print(json.dumps(data, ensure_ascii=False, indent=2))
    else:
        import yaml

        print(yaml.safe_dump(data, sort_keys=False, allow_unicode=True), end="")


def table(
    columns: Sequence[str], rows: Iterable[Sequence[str]], wide: int | None = None, spare: Sequence[str] = ()
) -> None:
    """Print a table as kubectl does: columns one beside the other, nothing around them.

    A cell is never cut, but for those of one column: half a name or figure is another one. Where no column may be
    cut, cells are wrapped.

    Parameters
    ----------
    columns
        Their heads.
    rows
        The cells.
    wide
        Number of the column that is cut where a terminal is too narrow.
    spare
        Heads of the columns that are left out there before, the first one first.
    """
    import sys

    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    rows = list(rows)
    # what is read by another program is not cut
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 10_000)
    shown = fitting(columns, rows, console.width, wide, spare)
    drawn = Table(box=None, padding=(0, GAP, 0, 0), pad_edge=False, header_style="bold")
    for number in shown:
        drawn.add_column(columns[number], **_manner(_width(columns, rows, number), number, wide))
    for row in rows:
        drawn.add_row(*(Text(row[number]) for number in shown))
    console.print(drawn, crop=False)


def fitting(
    columns: Sequence[str], rows: Sequence[Sequence[str]], room: int, wide: int | None, spare: Sequence[str]
) -> list[int]:
    """Return the numbers of the columns that are shown in so many characters."""
    shown = list(range(len(columns)))
    widths = {number: _width(columns, rows, number) for number in shown}
    if wide is not None:
        widths[wide] = min(widths[wide], LEAST)
    for name in spare:
        if sum(widths[number] + GAP for number in shown) - GAP <= room:
            break
        shown.remove(columns.index(name))
    return shown


def _manner(width: int, number: int, wide: int | None) -> dict[str, Any]:
    """Return how a column gives way: cut, or never; in a table of which none is cut, by wrapping between words."""
    if wide is None:
        return {}
    return {"no_wrap": True, "overflow": "ellipsis"} if number == wide else {"no_wrap": True, "min_width": width}


def _width(columns: Sequence[str], rows: Sequence[Sequence[str]], number: int) -> int:
    return max(len(columns[number]), *(len(row[number]) for row in rows))


def say(text: str) -> None:
    """Tell whoever waits what takes time: not on the output, which may be read by a program."""
    import sys

    print(text, file=sys.stderr)
