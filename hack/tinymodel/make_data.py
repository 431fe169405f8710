"""Writes the demo's rows: `python -m hack.tinymodel.make_data FOLDER`.

`warmup-running.jsonl` works the sums of `warmup.jsonl` one term after the other, for a model that knows sums, and
`warmup-more.jsonl` those and others. They share no sum with `train.jsonl`, and none has a sum of `heldout.jsonl`, in
whatever order of its terms.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Iterable
from itertools import islice
from pathlib import Path

from hack.tinymodel import sums

WARMUP_ROWS, MORE_WARMUP_ROWS, TRAIN_ROWS, HELD_OUT_ROWS = 192, 408, 4000, 400
RUNNING = ("warmup-running", "warmup-more")
"""Sets that are worked one term after the other."""


def make_files(seed: int) -> dict[str, list[sums.Terms]]:
    """Return the sums of every file."""
    rng = random.Random(seed)
    learnt = sums.draw_distinct(rng, held_out=False)
    warmup = list(islice(learnt, WARMUP_ROWS))
    train = list(islice(learnt, TRAIN_ROWS))
    held_out = list(islice(sums.draw_distinct(rng, held_out=True), HELD_OUT_ROWS))
    more = list(islice(learnt, MORE_WARMUP_ROWS))
    worked = dict(zip(RUNNING, (warmup, warmup + more), strict=True))
    return {"warmup": warmup, **worked, "train": train, "heldout": held_out}


def row(terms: sums.Terms) -> dict[str, str]:
    """Return a sum as a row of a data set."""
    return {"prompt": sums.question(terms), "reasoning": sums.reasoning(terms), "answer": sums.answer(terms)}


def running_row(terms: sums.Terms) -> dict[str, str]:
    """Return a sum that is worked one term after the other as a row of a data set."""
    return row(terms) | {"reasoning": sums.running_sums(terms)}


def write(path: Path, rows: Iterable[dict[str, str]]) -> None:
    """Write rows as JSON lines."""
    path.write_text("".join(json.dumps(each) + "\n" for each in rows), encoding="utf-8")


def main() -> None:
    """Write the files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    files = make_files(options.seed)
    for name, drawn in files.items():
        write(options.folder / f"{name}.jsonl", map(running_row if name in RUNNING else row, drawn))


if __name__ == "__main__":
    main()
