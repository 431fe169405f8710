"""The evaluation's statistics against scipy and against the definitions."""

from __future__ import annotations

from itertools import combinations

import pytest
from scipy.stats import binomtest

from reasoning_trainer.evaluation.statistics import mcnemar_exact_one_sided, pass_at_k, wilson_interval


@pytest.mark.parametrize(("successes", "trials"), [(0, 1), (1, 1), (0, 100), (58, 100), (100, 100), (1, 10_000)])
def test_wilson_interval_is_scipys(successes: int, trials: int) -> None:
    expected = binomtest(successes, trials).proportion_ci(0.95, method="wilson")
    assert wilson_interval(successes, trials) == pytest.approx((expected.low, expected.high), abs=1e-12)


@pytest.mark.parametrize(("successes", "trials"), [(0, 0), (-1, 5), (6, 5)])
def test_wilson_interval_refuses_what_is_no_share(successes: int, trials: int) -> None:
    with pytest.raises(ValueError, match="no share"):
        wilson_interval(successes, trials)


@pytest.mark.parametrize(
    ("gains", "losses", "same"),
    [(0, 0, 10), (5, 0, 0), (0, 5, 3), (12, 4, 100), (4, 12, 1), (400, 350, 0), (7000, 0, 0)],
)
def test_mcnemar_is_a_sign_test_on_the_rows_that_changed(gains: int, losses: int, same: int) -> None:
    before = [False] * gains + [True] * losses + [True] * same
    after = [True] * gains + [False] * losses + [True] * same
    changed = gains + losses
    expected = binomtest(gains, changed, alternative="greater").pvalue if changed else 1.0
    assert mcnemar_exact_one_sided(before, after) == pytest.approx(expected, rel=1e-9)


def test_mcnemar_refuses_other_rows() -> None:
    with pytest.raises(ValueError, match="argument"):
        mcnemar_exact_one_sided([True], [True, False])


@pytest.mark.parametrize("right", range(7))
@pytest.mark.parametrize("k", range(1, 7))
def test_pass_at_k_is_the_share_of_draws_with_a_right_one(right: int, k: int) -> None:
    draws = list(combinations([True] * right + [False] * (6 - right), k))
    assert pass_at_k(6, right, k) == pytest.approx(sum(any(draw) for draw in draws) / len(draws))


@pytest.mark.parametrize(("samples", "right", "k"), [(4, 1, 5), (4, 5, 1), (4, -1, 1), (4, 1, 0)])
def test_pass_at_k_refuses_too_few_samples(samples: int, right: int, k: int) -> None:
    with pytest.raises(ValueError, match="cannot be estimated"):
        pass_at_k(samples, right, k)
