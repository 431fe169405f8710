"""Draws what is longer than a table: transcripts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rich.console import Console, Group
from rich.panel import Panel
from rich.text import Text

VERDICTS = {True: ("right", "green"), False: ("wrong", "red"), None: ("not judged", "yellow")}


def draw_samples(samples: Iterable[Mapping[str, Any]], console: Console | None = None) -> None:
    """Print transcripts: what was asked, what the model wrote, and what would be right."""
    console = console or Console(highlight=False)
    for each in samples:
        word, color = VERDICTS[each.get("right")]
        parts = [Text(str(each.get("prompt", "")), "dim"), Text(str(each.get("completion", "")))]
        if each.get("answer") is not None:
            parts.append(Text.assemble(("answer: ", "dim"), str(each["answer"])))
        console.print(Panel(Group(*parts), title=f"{each['model']}: {word}", title_align="left", border_style=color))
