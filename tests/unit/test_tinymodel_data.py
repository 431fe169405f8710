"""The demo's rows: what is held out is in no other file, and every row is a right sum."""

import json
import random
import re
from itertools import islice
from pathlib import Path

import pytest
from hack.tinymodel import make_data, sums


@pytest.fixture(scope="module")
def keys() -> dict[str, list[sums.Terms]]:
    return {name: [tuple(sorted(terms)) for terms in drawn] for name, drawn in make_data.make_files(0).items()}


def test_no_sum_is_learnt_twice_or_held_out_in_any_order(keys: dict[str, list[sums.Terms]]) -> None:
    sets = [keys[name] for name in ("warmup-more", "train", "heldout")]
    assert [len(each) for each in sets] == [600, 4000, 400]
    assert len(set().union(*sets)) == 5000
    assert keys["warmup"] == keys["warmup-running"] == keys["warmup-more"][:192]


def test_another_seed_draws_no_held_out_sum_to_train_on(keys: dict[str, list[sums.Terms]]) -> None:
    other = make_data.make_files(1)
    trained_on = {tuple(sorted(terms)) for terms in other["train"] + other["warmup-more"]}
    assert trained_on.isdisjoint(keys["heldout"])


def test_a_sum_is_on_the_same_side_in_every_order() -> None:
    rng = random.Random(0)
    for terms in islice(sums.draw_distinct(rng, held_out=True), 200):
        assert sums.is_held_out(terms[::-1])
        assert sums.is_held_out(tuple(sorted(terms)))


def test_about_a_tenth_of_all_pairs_is_held_out() -> None:
    pairs = [(first, second) for first in range(10, 100) for second in range(first, 100)]
    share = sum(map(sums.is_held_out, pairs)) / len(pairs)
    assert share == pytest.approx(sums.HELD_OUT_SHARE, abs=0.02)


def test_the_same_seed_writes_the_same_files() -> None:
    assert make_data.make_files(3) == make_data.make_files(3)
    assert make_data.make_files(3) != make_data.make_files(4)


@pytest.mark.parametrize(
    ("terms", "worked"),
    [
        ((47, 28), "7 + 8 = 15\n4 + 2 + 1 = 7"),
        ((10, 20), "0 + 0 = 0\n1 + 2 + 0 = 3"),
        ((99, 99, 99), "9 + 9 + 9 = 27\n9 + 9 + 9 + 2 = 29"),
    ],
)
def test_columns(terms: sums.Terms, worked: str) -> None:
    assert sums.reasoning(terms) == worked


def test_every_line_of_every_row_is_right(tmp_path: Path) -> None:
    make_data.write(tmp_path / "rows.jsonl", map(make_data.row, make_data.make_files(0)["train"]))
    for line in (tmp_path / "rows.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        assert int(row["answer"]) == sum(map(int, re.findall(r"\d+", row["prompt"])))
        units, tens = (step.split(" = ") for step in row["reasoning"].split("\n"))
        for column, total in (units, tens):
            assert sum(map(int, column.split(" + "))) == int(total)
        assert row["answer"] == tens[1] + units[1][-1]
