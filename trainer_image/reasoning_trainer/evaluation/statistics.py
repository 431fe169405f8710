"""The statistics of the held-out evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from math import comb, sqrt

Z95 = 1.959963984540054
"""Quantile of the standard normal distribution that leaves 2.5% on either side."""


def wilson_interval(successes: int, trials: int, z: float = Z95) -> tuple[float, float]:
    """Return the Wilson score interval of a share.

    Parameters
    ----------
    successes, trials
        ``0 <= successes <= trials``, ``trials >= 1``.
    z
        Quantile of the normal distribution for the wanted confidence.

    Returns
    -------
    tuple of float
        Lower and upper bound, within [0, 1].

    Raises
    ------
    ValueError
        If the counts are not those of a share.

    Notes
    -----
    Wilson 1927, "Probable inference, the law of succession, and statistical inference", JASA 22. Unlike the normal
    approximation it holds for few rows and for shares near 0 and 1 (Brown, Cai, DasGupta 2001).
    """
    if trials < 1 or not 0 <= successes <= trials:
        raise ValueError(f"{successes} successes of {trials} trials are no share")
    share = successes / trials
    centre = share + z * z / (2 * trials)
    margin = z * sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    scale = 1 + z * z / trials
    return max(0.0, (centre - margin) / scale), min(1.0, (centre + margin) / scale)


def mcnemar_exact_one_sided(before: Sequence[bool], after: Sequence[bool]) -> float:
    """Return the probability of a gain at least this large if nothing had changed: exact one-sided McNemar test.

    Parameters
    ----------
    before, after
        Whether each row was answered rightly by the first and by the second model; the same rows in the same order.

    Returns
    -------
    float
        p of "after is better than before"; 1 where no row changed.

    Raises
    ------
    ValueError
        If the lengths differ.

    Notes
    -----
    McNemar 1947, "Note on the sampling error of the difference between correlated proportions", Psychometrika 12. Only
    rows that changed count; without an effect, each is a gain with probability 1/2.
    """
    pairs = list(zip(before, after, strict=True))
    gains = sum(now and not then for then, now in pairs)
    losses = sum(then and not now for then, now in pairs)
    changed = gains + losses
    at_least_as_many: int = sum(comb(changed, wins) for wins in range(gains, changed + 1))
    return at_least_as_many / (1 << changed)


def pass_at_k(samples: int, right: int, k: int) -> float:
    """Return the unbiased estimate of the chance that at least one of k completions is right.

    Parameters
    ----------
    samples
        Completions drawn for the row; at least k.
    right
        How many of them are right.
    k
        How many completions one would draw.

    Raises
    ------
    ValueError
        If fewer than k completions were drawn, or the counts are no counts.

    Notes
    -----
    Chen et al. 2021, "Evaluating large language models trained on code" (arXiv:2107.03374), equation 1:
    1 - C(n - c, k) / C(n, k).
    """
    if not (1 <= k <= samples and 0 <= right <= samples):
        raise ValueError(f"pass@{k} cannot be estimated from {right} right of {samples} completions")
    return 1.0 - comb(samples - right, k) / comb(samples, k)
