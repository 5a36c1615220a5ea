"""Intervals of a mean that hold at every number of clusters at once, so that one may look, and go on, at any time.

A gambler bets on the next value being above m, or below it. If m is the true mean, no way of betting makes money in
expectation, so the wealth exceeds 1/α at any time with a probability of at most α (Ville 1939). The means against which
no fortune was made form a confidence sequence (Waudby-Smith and Ramdas 2024, "Estimating means of bounded random
variables by betting").

Letters: N values, C clusters, M candidate means.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["ConfidenceSequence", "confidence_sequence"]

_MEANS = 4001  # candidate means; the ends are rounded outwards to one of them
_TRUNCATION = 0.5  # of the bets, as a share of the largest that cannot ruin the gambler


@dataclass(frozen=True)
class ConfidenceSequence:
    """The mean of clusters, with an interval that holds whenever one looks.

    Attributes:
        estimate: the mean of the means of clusters.
        low: the lower end with all clusters.
        high: the upper end with all clusters.
        n: number of values.
        clusters: number of clusters C.
        lows: (C,) the lower end after each cluster, in order.
        highs: (C,) the upper end after each cluster.
    """

    estimate: float
    low: float
    high: float
    n: int
    clusters: int
    lows: NDArray[np.float64]
    highs: NDArray[np.float64]


def confidence_sequence(
    values: ArrayLike,
    clusters: ArrayLike,
    order: ArrayLike,
    bounds: tuple[float, float] = (0.0, 1.0),
    level: float = 0.95,
) -> ConfidenceSequence:
    """The hedged betting confidence sequence of the mean of clusters.

    One observation is the mean x_t of a cluster, rescaled to 0 … 1; clusters enter in the order of their first value.
    Wealth(m) = max(½ ∏(1 + λ⁺_t(x_t − m)), ½ ∏(1 − λ⁻_t(x_t − m))), with λ_t = √(2 log(2/α)/(σ̂²_{t−1} t log(t + 1))),
    σ̂²_{t−1} the variance of earlier clusters shrunk towards ¼, λ⁺ at most ½/m and λ⁻ at most ½/(1 − m). The
    interval after t clusters holds the m whose wealth has not reached 1/α until then, so that it never grows.

    It covers the mean over the clusters that could be drawn, at all numbers of clusters together with probability
    `level`, if they come in random order and with the same number of values each. Further values of the same clusters
    are not a continuation.

    Args:
        values: (N,) values within `bounds`.
        clusters: (N,) the cluster of each value.
        order: (N,) the order in which values came, such as query ids.
        bounds: the smallest and the largest possible value.
        level: probability of holding at all times.

    Raises:
        ValueError: there are no values, they are outside `bounds`, or the bounds are not in order.
    """
    x, names = np.asarray(values, dtype=np.float64), np.asarray(clusters)
    smallest, largest = bounds
    if not len(x) or not smallest < largest or x.min() < smallest or x.max() > largest:
        raise ValueError(f"values must lie within {smallest:g} and {largest:g}")
    means = (_means_in_order(x, names, np.asarray(order)) - smallest) / (largest - smallest)
    candidates = np.linspace(0, 1, _MEANS)
    excluded = np.maximum.accumulate(_log_wealth(means, candidates, 1 - level) >= -np.log(1 - level), axis=0)
    lows, highs = _ends(~excluded, candidates)
    lows, highs = (smallest + (largest - smallest) * ends for ends in (lows, highs))
    return ConfidenceSequence(
        estimate=smallest + (largest - smallest) * float(means.mean()),
        low=float(lows[-1]),
        high=float(highs[-1]),
        n=len(x),
        clusters=len(means),
        lows=lows,
        highs=highs,
    )


def _means_in_order(
    x: NDArray[np.float64], names: NDArray[np.generic], order: NDArray[np.generic]
) -> NDArray[np.float64]:
    """(C,) the mean of each cluster, by the first value of each."""
    sequence = np.argsort(order, kind="stable")
    _, first, index, counts = np.unique(names[sequence], return_index=True, return_inverse=True, return_counts=True)
    means: NDArray[np.float64] = np.bincount(index, weights=x[sequence]) / counts
    return means[np.argsort(first)]


def _log_wealth(x: NDArray[np.float64], means: NDArray[np.float64], alpha: float) -> NDArray[np.float64]:
    """(C, M) the logarithm of the wealth after each of C observations from 0 to 1, against each candidate mean."""
    times = np.arange(1, len(x) + 1)
    averages = (0.5 + np.cumsum(x)) / (times + 1)
    variances = (0.25 + np.cumsum((x - averages) ** 2)) / (times + 1)
    earlier = np.concatenate([[0.25], variances[:-1]])
    bets = np.sqrt(2 * np.log(2 / alpha) / (earlier * times * np.log(times + 1)))[:, None]
    with np.errstate(divide="ignore"):
        above, below = (np.minimum(bets, _TRUNCATION / share) for share in (means, 1 - means))
    surprise = x[:, None] - means
    growth = [np.cumsum(np.log1p(bet * sign * surprise), axis=0) for bet, sign in ((above, 1), (below, -1))]
    wealth: NDArray[np.float64] = np.maximum(*growth) - np.log(2)
    return wealth


def _ends(kept: NDArray[np.bool_], candidates: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(C,) lower and upper ends: the excluded candidates next to the kept ones, so that rounding only widens.

    Where no candidate is left, which has a small probability, the ends are the last that there were.
    """
    kept = kept[np.maximum.accumulate(np.where(kept.any(axis=1), np.arange(len(kept)), 0))]
    first, last = kept.argmax(axis=1), kept.shape[1] - 1 - kept[:, ::-1].argmax(axis=1)
    return candidates[np.maximum(first - 1, 0)], candidates[np.minimum(last + 1, len(candidates) - 1)]
