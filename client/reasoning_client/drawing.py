"""Draws what is longer than a table: transcripts, and jobs in notebooks."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.text import Text

FONT = "Menlo, Consolas, 'DejaVu Sans Mono', 'Courier New', monospace"
"""Boxes and bars need letters of one width; not every notebook gives `pre` such a font."""
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


@contextmanager
def live(view: RenderableType) -> Iterator[Callable[[], None]]:
    """Show something that changes, and give a function that draws it anew: in a terminal, or in a notebook's cell.

    A notebook keeps the last picture when it is saved, and needs no widgets.
    """
    if not Console().is_jupyter:
        with Live(view, refresh_per_second=2) as drawn:
            yield drawn.refresh
        return
    from IPython.display import HTML, display  # a notebook's kernel has it

    cell = display(HTML(""), display_id=True)
    yield lambda: cell.update(HTML(as_html(view)))


def as_html(thing: RenderableType) -> str:
    """Return what rich draws as HTML with its own styles."""
    console = Console(record=True, width=100, file=io.StringIO(), force_jupyter=False)
    console.print(thing)
    style = f"line-height: 1.2; white-space: pre; overflow-x: auto; font-family: {FONT}"
    return console.export_html(inline_styles=True, code_format=f'<pre style="{style}">{{code}}</pre>')
