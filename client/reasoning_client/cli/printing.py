"""How commands print: tables for people, JSON and YAML for programs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from .options import Output


def emit(data: Any, output: Output) -> None:
    """Print data as JSON or YAML."""
    if output == Output.json:
        print(json.dumps(data, ensure_ascii=False, indent=2))
    else:
        import yaml

        print(yaml.safe_dump(data, sort_keys=False, allow_unicode=True), end="")


def table(columns: Sequence[str], rows: Iterable[Sequence[str]], wide: int | None = None) -> None:
    """Print a table as kubectl does: columns one beside the other, nothing around them.

    Parameters
    ----------
    columns
        Their heads.
    rows
        The cells.
    wide
        Number of the column that is cut where a terminal is too narrow.
    """
    import sys

    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=None, padding=(0, 3, 0, 0), pad_edge=False, header_style="bold")
    for number, name in enumerate(columns):
        drawn.add_column(name, no_wrap=True, overflow="ellipsis" if number == wide else "fold")
    for row in rows:
        drawn.add_row(*(Text(cell) for cell in row))
    # what is read by another program is not cut
    Console(highlight=False, width=None if sys.stdout.isatty() else 10_000).print(drawn)


def say(text: str) -> None:
    """Tell whoever waits what takes time: not on the output, which may be read by a program."""
    import sys

    print(text, file=sys.stderr)
