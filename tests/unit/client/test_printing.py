"""Tables in terminals of any width: what does not fit is left out or moved on, and no figure is cut in two."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from io import StringIO

import pytest

from reasoning_client.cli.looking import COLUMNS, SPARE
from reasoning_client.cli.printing import table

ROW = ["gsm8k-dapo", "Running", "reinforce", "62% (36/60)", "2m41s", "1.941", "0", "0.5175", "ImagePullFailed", "12m"]


def jobs() -> None:
    table(COLUMNS, [ROW], COLUMNS.index("PROBLEM"), SPARE)


def figures() -> None:
    long = "0.970 (0.948 to 0.983) of very many held-out rows"
    table(("FIGURE", "one", "two"), [("after training: accuracy", long, long)])


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Gives the lines of a table in a terminal of so many characters."""

    class Terminal(StringIO):
        def isatty(self) -> bool:
            return True

    def draw(width: int, draw_table: Callable[[], None] = jobs) -> list[str]:
        out = Terminal()
        monkeypatch.setattr(sys, "stdout", out)
        monkeypatch.setenv("COLUMNS", str(width))
        monkeypatch.setenv("TERM", "xterm")
        draw_table()
        return re.sub(r"\x1b\[\d*m", "", out.getvalue()).splitlines()

    return draw


@pytest.mark.parametrize("width", [120, 100, 80, 60, 40])
def test_cell_is_whole_or_left_out(width: int, lines: Callable[..., list[str]]) -> None:
    heads, row = (line.split("   ") for line in lines(width))
    for head, cell in zip(
        [each.strip() for each in heads if each.strip()], [each.strip() for each in row if each.strip()], strict=True
    ):
        whole = ROW[COLUMNS.index(head)]
        assert cell == whole or (head == "PROBLEM" and cell.endswith("…") and whole.startswith(cell[:-1]))


@pytest.mark.parametrize("width", [120, 100, 80])
def test_table_fits_a_terminal_of_a_usual_width(width: int, lines: Callable[..., list[str]]) -> None:
    assert max(len(line.rstrip()) for line in lines(width)) <= width


def test_name_phase_progress_and_problem_are_always_there(lines: Callable[..., list[str]]) -> None:
    assert lines(30)[0].split() == ["NAME", "PHASE", "PROGRESS", "PROBLEM"]
    assert lines(120)[0].split() == list(COLUMNS)


def test_table_without_a_column_to_cut_wraps_between_words(lines: Callable[..., list[str]]) -> None:
    drawn = lines(80, figures)
    assert max(len(line.rstrip()) for line in drawn) <= 80
    assert {word for line in drawn for word in line.split()} >= {"0.970", "(0.948", "0.983)", "held-out"}
