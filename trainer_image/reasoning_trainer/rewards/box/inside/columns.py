"""How a batch's columns travel: tokens as packed numbers, since as JSON they would take most of a batch's time."""

from __future__ import annotations

import base64
import itertools
from array import array
from collections.abc import Mapping
from typing import Any


def pack(columns: Mapping[str, list[Any]]) -> dict[str, Any]:
    """Return columns as JSON values; those whose rows are lists of small whole numbers as packed numbers."""
    return {name: _packed(column) or {"rows": column} for name, column in columns.items()}


def unpack(packed: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Return what was packed."""
    return {name: column["rows"] if "rows" in column else _unpacked(column) for name, column in packed.items()}


def _packed(column: list[Any]) -> dict[str, Any] | None:
    if not all(type(row) is list for row in column):
        return None
    if set(map(type, itertools.chain.from_iterable(column))) != {int}:
        return None
    numbers = array("i")
    try:
        for row in column:
            numbers.fromlist(row)
    except OverflowError:
        return None
    return {"lengths": [len(row) for row in column], "numbers": base64.b64encode(numbers.tobytes()).decode("ascii")}


def _unpacked(column: Mapping[str, Any]) -> list[list[int]]:
    numbers = array("i")
    numbers.frombytes(base64.b64decode(column["numbers"]))
    every, ends = numbers.tolist(), list(itertools.accumulate(column["lengths"], initial=0))
    return [every[start:end] for start, end in itertools.pairwise(ends)]
