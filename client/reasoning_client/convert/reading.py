"""Reads a script or a notebook into one syntax tree, and knows where each line stood."""

from __future__ import annotations

import ast
import json
from dataclasses import dataclass
from pathlib import Path

from ..errors import ClientError, Exit

MAGIC = ("%", "!", "?")


@dataclass(frozen=True)
class Script:
    """A script.

    Attributes
    ----------
    tree
        Its syntax tree.
    text
        Its source; a notebook's is that of its code cells, one after the other.
    places
        For each line of it, where that stands for a reader.
    """

    tree: ast.Module
    text: str
    places: list[str]

    def place(self, node: ast.AST) -> str:
        """Return where a part of the tree stands: `line 12`, or `cell 3, line 2`."""
        return self.places[getattr(node, "lineno", 1) - 1]

    def source(self, node: ast.AST) -> str:
        """Return the source of a part, with its decorators left out."""
        return ast.get_source_segment(self.text, node) or ""


def read_script(path: Path) -> Script:
    """Read a script (.py) or a notebook (.ipynb).

    Raises
    ------
    ClientError
        If it cannot be read, or is not Python.
    """
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ClientError(f"{path} cannot be read: {error}", code=Exit.NOT_FOUND) from None
    try:
        lines = _cells(text) if path.suffix == ".ipynb" else _lines(text)
        source = "\n".join(line for line, _ in lines) + "\n"
        return Script(ast.parse(source), source, [place for _, place in lines] or ["line 1"])
    except SyntaxError as error:
        raise ClientError(f"{path} is not Python: line {error.lineno}: {error.msg}", code=Exit.INVALID) from None
    except (ValueError, KeyError, TypeError) as error:
        raise ClientError(f"{path} is no notebook: {error}", code=Exit.INVALID) from None


def _lines(text: str) -> list[tuple[str, str]]:
    return [(line, f"line {number}") for number, line in enumerate(text.splitlines(), 1)]


def _cells(text: str) -> list[tuple[str, str]]:
    """Return the lines of a notebook's code cells; what is the notebook's own, not Python's, becomes a comment."""
    found = []
    for cell_number, cell in enumerate(json.loads(text)["cells"], 1):
        if cell["cell_type"] != "code":
            continue
        source = cell["source"] if isinstance(cell["source"], str) else "".join(cell["source"])
        whole = source.lstrip().startswith("%%")
        for number, line in enumerate(source.splitlines(), 1):
            foreign = whole or line.lstrip().startswith(MAGIC)
            indent = line[: len(line) - len(line.lstrip())]
            kept = f"{indent}pass  # {line.strip()}" if foreign else line
            found.append((kept, f"cell {cell_number}, line {number}"))
    return found
