"""Rows that are asked in place of others."""

from __future__ import annotations

from reasoning_trainer.algorithms.pool import Pool


def test_an_order_follows_from_seed_and_step_and_has_each_row_once() -> None:
    first = list(Pool(20, 1).others(5, [3, 4]))
    assert sorted(first) == [row for row in range(20) if row not in (3, 4)]
    assert first == list(Pool(20, 1).others(5, [3, 4]))
    assert first != list(Pool(20, 1).others(6, [3, 4]))
    assert first != list(Pool(20, 2).others(5, [3, 4]))


def test_retired_rows_are_left_out_and_nothing_may_be_left() -> None:
    pool = Pool(4, 1)
    pool.retired = {0, 1}
    assert sorted(pool.others(0, [2])) == [3]
    assert list(pool.others(0, [2, 3])) == []
