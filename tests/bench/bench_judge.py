"""Measures how often the judge of answers is wrong, and how fast it is; prints one JSON line a figure.

``python tests/bench/bench_judge.py FILE [--pattern REGEX] [--math-verify EVERY]``: FILE has a JSON object with
``answer`` a line, from which the pattern's group takes the reference (GSM8K: ``'#### (.*)'``). Each reference is
written in the ways that models write it, which are right, and changed in ways that are wrong (`ways_of_writing`); of
some thousand pairs of different references each is wrong for the other too. Beside it stand the match of plain text
and, where it is installed and asked for, Math-Verify on every so-manyth judgement.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "trainer_image")]

from tests.bench.ways_of_writing import right_ways, wrong_ways  # noqa: E402

from reasoning_trainer.rewards.judge import number_of, same_mathematics  # noqa: E402

PAIRS = 3000
ORDINARY = 10_000
SHOWN = 12
"""Wrong verdicts that are shown of each kind."""
Compare = Callable[[str, str], bool]


def main() -> None:
    """Judge everything, and print what was wrong."""
    parser = argparse.ArgumentParser()
    parser.add_argument("file", type=Path)
    parser.add_argument("--pattern", default="(.*)")
    parser.add_argument("--math-verify", type=int, metavar="EVERY", default=0)
    options = parser.parse_args()
    references = list(_references(options.file, options.pattern))
    right = [(each, way, answer) for each in references for way, answer in right_ways(each)]
    wrong = [(each, way, answer) for each in references for way, answer in _wrong(each)]
    wrong += _pairs(references)
    judges: dict[str, tuple[Compare, int]] = {"judge": (same_mathematics, 1), "plain text": (_same_text, 1)}
    if options.math_verify:
        judges["Math-Verify"] = (_math_verify(), options.math_verify)
    for name, (compare, every) in judges.items():
        report(name, compare, right[::every], wrong[::every])
    _speed(right)


def _references(file: Path, pattern: str) -> Iterator[str]:
    for line in file.read_text(encoding="utf-8").splitlines():
        found = re.search(pattern, str(json.loads(line)["answer"]))
        if found:
            reference = found[1].strip()
            number = number_of(reference)
            is_grouped = re.fullmatch(r"-?[\d,]+", reference) and number is not None
            yield str(number) if is_grouped else reference


def _wrong(reference: str) -> Iterator[tuple[str, str]]:
    ways = {answer: way for way, answer in wrong_ways(reference) if answer != reference}
    yield from ((way, answer) for answer, way in ways.items())


def _pairs(references: list[str]) -> list[tuple[str, str, str]]:
    """Return pairs of references whose digits or words differ."""
    draw, kinds = random.Random(1), list(dict.fromkeys(references))
    drawn = [draw.sample(kinds, 2) for _ in range(PAIRS)] if len(kinds) > 1 else []
    return [(one, "another's", other) for one, other in drawn if _signs(one) != _signs(other)]


def _signs(text: str) -> str:
    return re.sub(r"[^\w]|circ", "", text)


def _same_text(reference: str, answer: str) -> bool:
    return reference.split() == answer.split()


def _math_verify() -> Compare:
    """Return Math-Verify as its documentation uses it: the reference as LaTeX, the answer as it comes."""
    import logging

    from math_verify import parse, verify

    logging.disable(logging.ERROR)

    def compare(reference: str, answer: str) -> bool:
        return bool(verify(parse(f"${reference}$"), parse(answer)))

    return compare


def report(
    name: str, compare: Compare, right: list[tuple[str, str, str]], wrong: list[tuple[str, str, str]]
) -> dict[str, Any]:
    """Print and return how often right answers were refused and wrong ones accepted."""
    began = time.process_time()
    refused = [case for case in right if not compare(case[0], case[2])]
    accepted = [case for case in wrong if compare(case[0], case[2])]
    figures = {
        "judge": name,
        "right": len(right),
        "refused": len(refused),
        "refused_percent": round(100 * len(refused) / len(right), 2),
        "wrong": len(wrong),
        "accepted": len(accepted),
        "accepted_percent": round(100 * len(accepted) / len(wrong), 2),
        "cpu_seconds": round(time.process_time() - began, 1),
        "refused_by_way": dict(Counter(way for _, way, _ in refused).most_common()),
        "accepted_by_way": dict(Counter(way for _, way, _ in accepted).most_common()),
        "examples_refused": [(each, answer) for each, _, answer in refused[:SHOWN]],
        "examples_accepted": [(each, answer) for each, _, answer in accepted[:SHOWN]],
    }
    print(json.dumps(figures, ensure_ascii=False), flush=True)
    return figures


def _speed(right: list[tuple[str, str, str]]) -> None:
    """Print how long ordinary answers take, none of them read before."""
    from reasoning_trainer.rewards.judge.reading import read
    from reasoning_trainer.rewards.judge.text import normalised, settled

    for cached in (read, settled, normalised):
        cached.cache_clear()
    drawn = random.Random(2).choices(right, k=ORDINARY)
    began = time.process_time()
    for reference, _, answer in drawn:
        same_mathematics(reference, answer)
    print(json.dumps({"answers": ORDINARY, "cpu_seconds": round(time.process_time() - began, 2)}), flush=True)


if __name__ == "__main__":
    main()
