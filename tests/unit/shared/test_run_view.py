"""What a line says of a stage that is over."""

from __future__ import annotations

from reasoning_contract.report import Report
from reasoning_shared.run_view import DIFFICULTY, conclusion


def test_measured_rows_are_concluded_with_their_histogram() -> None:
    held_out = {"size": 8, "base": {"format": 1.0, "meanLength": 4.0, "accuracy": 0.5, "ci95": [0.2, 0.8]}}
    progress = {
        "display": "9%",
        "percent": 9,
        "detail": f"{DIFFICULTY}, row 8 of 8",
        "updatedAt": "2026-01-01T00:00:00Z",
    }
    found = {
        "rows": 8,
        "of": 8,
        "samples": 4,
        "completions": 32,
        "seconds": 1.0,
        "histogram": {"never": 6, "25-50%": 2, "always": 0},
        "setAside": 6,
    }
    report = {"stage": "evaluate", "progress": progress, "evaluation": {"heldOut": held_out}}
    told = conclusion(Report.model_validate(report | {"difficulty": found}), 61)
    assert told.endswith(f"{DIFFICULTY}  rows by right completions: never 6, 25-50% 2; 6 set aside")
    assert conclusion(Report.model_validate(report), 61).endswith(DIFFICULTY)
