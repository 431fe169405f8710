"""Columns come out of the box's frames as they went in."""

from __future__ import annotations

import json
from typing import Any

import pytest

from reasoning_trainer.rewards.box.inside.columns import pack, unpack


@pytest.mark.parametrize(
    ("column", "packed"),
    [
        ([[1, 2], [3]], True),
        ([[], [7], []], True),
        ([[-5, 2**31 - 1]], True),
        ([[2**31]], False),
        ([[True, False]], False),
        ([[1, 2.0]], False),
        ([[1], None], False),
        ([[]], False),
        ([[[1]]], False),
        (["a", None, 1, 2.5, {"b": [1]}], False),
        ([], False),
    ],
)
def test_column_comes_out_as_it_went_in(column: list[Any], packed: bool) -> None:
    sent = json.loads(json.dumps(pack({"column": column})))
    assert ("numbers" in sent["column"]) is packed
    back = unpack(sent)["column"]
    assert back == column
    assert [[type(each) for each in row] for row in back if isinstance(row, list)] == [
        [type(each) for each in row] for row in column if isinstance(row, list)
    ]
