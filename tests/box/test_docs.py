"""docs/rewards-box.md lists every attempt with what stops it."""

from __future__ import annotations

from tests.box.attempts import ATTEMPTS
from tests.box.hosts import ROOT


def test_every_attempt_is_in_the_table() -> None:
    text = (ROOT / "docs/rewards-box.md").read_text(encoding="utf-8")
    rows = [f"| {each.name} | {each.wall} | {', '.join(each.shown) or '–'} |" for each in ATTEMPTS]
    assert [line for line in text.splitlines() if line.count("|") == 4 and line in rows] == rows
    assert f"{len(ATTEMPTS)} attempts" in text
    assert f"{sum(bool(each.shown) for each in ATTEMPTS)} of them" in text
