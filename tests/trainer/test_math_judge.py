"""Expressions through the real math-verify, in its process."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from threading import Thread

import pytest

from reasoning_trainer.rewards.correctness import MathComparison
from reasoning_trainer.rewards.math_judge import MathJudge
from reasoning_trainer.rewards.math_worker import MEMORY_BYTES

TOWER = "9^{9^{9^{9}}}"


@pytest.fixture(scope="module")
def judge() -> Iterator[MathJudge]:
    judge = MathJudge(seconds=60.0)
    yield judge
    judge.stop()


EXPRESSIONS = [
    ("3x+2", "2+3x", True),
    ("3x+2", "3", False),
    ("x^2+2x+1", "(x+1)^2", True),
    ("\\sqrt{2}", "sqrt(2)", True),
    ("\\frac{1}{x}", "x^{-1}", True),
    ("\\{1,2\\}", "2, 1", True),
    ("\\{1,2\\}", "1, 2, 3", False),
    ("(1,2)", "(2,1)", False),
    ("x=5", "5", True),
    ("$2\\pi$", "\\boxed{2\\pi}", True),
    ("x+1", "\\frac{", False),
    ("x+1", "}{", False),
]


@pytest.mark.parametrize(("reference", "answer", "equal"), EXPRESSIONS)
def test_expressions(judge: MathJudge, reference: str, answer: str, equal: bool) -> None:
    assert judge.same(reference, answer) is equal


def test_reference_that_is_no_expression(judge: MathJudge) -> None:
    assert judge.same("}{", "x") is None


def test_text_with_line_breaks_is_one_question(judge: MathJudge) -> None:
    assert judge.same("x\n+1", "1\n+\nx") is True


def test_comparison_from_another_thread(judge: MathJudge) -> None:
    """math-verify's own time limit works by a signal, in the main thread only."""
    verdicts: list[bool | None] = []
    thread = Thread(target=lambda: verdicts.append(judge.same("x+1", "1+x")))
    thread.start()
    thread.join()
    assert verdicts == [True]


def test_endless_comparison_is_given_up_and_the_next_one_works() -> None:
    judge = MathJudge(seconds=1.0)
    try:
        assert judge.same("x^2", TOWER) is None
        judge._seconds = 60.0
        assert judge.same("x+1", "1+x") is True
    finally:
        judge.stop()


def test_worker_that_died_is_replaced() -> None:
    judge = MathJudge(seconds=60.0)
    try:
        assert judge.same("x+1", "1+x") is True
        assert judge._worker is not None
        judge._worker.kill()
        judge._worker.wait()
        assert judge.same("x+1", "1+x") is True
    finally:
        judge.stop()


def test_worker_cannot_take_the_machines_memory(judge: MathJudge) -> None:
    judge.same("x", "y")
    assert judge._worker is not None
    assert resource.prlimit(judge._worker.pid, resource.RLIMIT_AS) == (MEMORY_BYTES, MEMORY_BYTES)


def test_correctness_asks_math_verify_last() -> None:
    compare = MathComparison()
    assert compare("\\sqrt{8}", "2\\sqrt{2}") is True
    assert compare("72", "24*3") is False
