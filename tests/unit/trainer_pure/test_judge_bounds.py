"""What the judge does with answers that are made to keep it busy, and with text that is no answer at all."""

from __future__ import annotations

import random

import pytest

from reasoning_trainer.rewards.judge import number_of, same_mathematics, same_pattern
from reasoning_trainer.rewards.judge.ball import UndefinedError
from reasoning_trainer.rewards.judge.evaluate import MAX_BITS, evaluate
from reasoning_trainer.rewards.judge.reading import read

TOWERS = [
    "7^{7^{7^7}}",
    "2^{2^{2^{2^{2^{2}}}}}",
    "((300!)!)!",
    "300!^{300!}",
    "e^{e^{e^{e^{9}}}}",
    r"(1+10^{-400})^{9999}",
]
ENDLESS = [
    *TOWERS,
    r"\sum_{k=1}^{10^{15}} \frac{1}{k^2}",
    r"\int_0^1 x^x dx",
    "(" * 300,
    "{" * 300,
    "|" * 300,
    "$" * 300,
    "-" * 300 + "x",
    "1/" * 190 + "x",
    "+".join(["x"] * 190),
    r"\sqrt{" * 50 + "x" + "}" * 50,
    r"\sin(" * 60 + "x" + ")" * 60,
    r"\boxed{" * 50 + "x",
    r"\frac" * 70,
    r"\begin{pmatrix}" * 20,
    "x^" * 150 + "x",
    "is " * 130,
    "A or " * 80,
    r"\pm" * 100 + "1",
    "1," * 190,
    "abcdefghij" * 39,
    "9" * 399,
]


@pytest.mark.parametrize("answer", ENDLESS)
@pytest.mark.parametrize("reference", ["x + 5", "11", r"\{1, 2\}", "x < 3", "3x + y = 5"])
@pytest.mark.timeout(20)
def test_answers_that_would_never_end(reference: str, answer: str) -> None:
    assert not same_mathematics(reference, answer)


@pytest.mark.parametrize("tower", TOWERS)
def test_tower_is_not_worked_out(tower: str) -> None:
    reading = read(tower)
    assert reading is not None
    with pytest.raises(UndefinedError):
        evaluate(reading.node, {})


def test_numbers_are_exact_up_to_their_limit() -> None:
    assert same_mathematics("2^{200}", str(2**200))
    assert not same_mathematics("2^{200}", str(2**200 + 1))
    assert number_of("7" * 999) == int("7" * 999)
    assert number_of("7" * 2000) is None
    reading = read(f"2^{{{MAX_BITS + 1}}}")
    assert reading is not None
    with pytest.raises(UndefinedError):
        evaluate(reading.node, {})


def test_digits_that_cancel_are_no_answer() -> None:
    assert same_mathematics(r"\sin \pi + x", "x")
    assert not same_mathematics("1", r"10^{80} + \sqrt{2} - 10^{80}")


@pytest.mark.parametrize("pattern", ["(a*)*b", "((a+)+)+", r"(\w+\s?)*!", "(a|a?)*b", "((a?){90})*b"])
@pytest.mark.timeout(20)
def test_patterns_that_would_never_end(pattern: str) -> None:
    assert not same_pattern(pattern, "a" * 399 + "?")


def test_essay_is_not_read() -> None:
    assert not same_mathematics("11", "so " * 200 + "11")


@pytest.mark.parametrize("seed", range(20))
def test_rubbish_is_wrong_and_raises_nothing(seed: int) -> None:
    draw = random.Random(seed)
    pieces = [
        *"0123456789xyeiab+-*/^_(){}[]|,. \\$=<>!%'&;:",
        r"\frac",
        r"\sqrt",
        r"\sin",
        r"\text{",
        r"\boxed{",
        "and ",
    ]
    for _ in range(200):
        answer = "".join(draw.choices(pieces, k=draw.randint(1, 40)))
        assert not same_mathematics(r"\frac{88}{89}", answer)
