"""The demo's task: sums of two or three two-digit numbers, reasoned column by column.

A sum is held out or not by a hash of its sorted terms. So the split needs no list, every script draws from its own side
of it, and no order of the terms leaks.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from itertools import accumulate

Terms = tuple[int, ...]

HELD_OUT_SHARE = 0.1
"""Share of the sums that is held out."""


def is_held_out(terms: Terms) -> bool:
    """Return whether a sum may only be used to evaluate."""
    key = "+".join(map(str, sorted(terms)))
    bucket = int.from_bytes(hashlib.sha256(key.encode()).digest()[:4])
    return bucket < HELD_OUT_SHARE * 2**32


def draw(rng: random.Random, *, held_out: bool) -> Terms:
    """Draw a sum from one side of the split; two and three terms are equally likely."""
    while True:
        terms = tuple(rng.randint(10, 99) for _ in range(rng.choice((2, 3))))
        if is_held_out(terms) == held_out:
            return terms


def draw_distinct(rng: random.Random, *, held_out: bool) -> Iterator[Terms]:
    """Draw sums of which no two have the same terms."""
    drawn = set()
    while True:
        terms = draw(rng, held_out=held_out)
        if (key := tuple(sorted(terms))) not in drawn:
            drawn.add(key)
            yield terms


def question(terms: Terms) -> str:
    """Return the question as text."""
    return f"What is {' + '.join(map(str, terms))}?"


def reasoning(terms: Terms) -> str:
    """Return the column addition: the units, then the tens and what the units carry.

    >>> print(reasoning((47, 28)))
    7 + 8 = 15
    4 + 2 + 1 = 7
    """
    units = [term % 10 for term in terms]
    tens = [term // 10 for term in terms] + [sum(units) // 10]
    return "\n".join(f"{' + '.join(map(str, column))} = {sum(column)}" for column in (units, tens))


def running_sums(terms: Terms) -> str:
    """Return the reasoning of a model that knows sums of two numbers: one term after the other.

    >>> print(running_sums((47, 28, 11)))
    47 + 28 = 75
    75 + 11 = 86
    """
    totals = list(accumulate(terms))
    pairs = zip(totals, terms[1:], totals[1:], strict=False)
    return "\n".join(f"{before} + {term} = {after}" for before, term, after in pairs)


def answer(terms: Terms) -> str:
    """Return the sum as text."""
    return str(sum(terms))
