"""Intervals that hold for several correlated estimates simultaneously.

Letters: K estimates, S draws.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lcl_lab.analysis.draws import CORRELATED_DRAWS
from lcl_lab.analysis.quantiles import student_quantile
from lcl_lab.errors import UserError

__all__ = ["SimultaneousMeans", "simultaneous_means", "simultaneous_quantile"]


def simultaneous_quantile(
    covariance: NDArray[np.float64], freedom: int, rng: np.random.Generator, level: float
) -> float:
    """The quantile of the largest of K correlated t statistics (Westfall and Young 1993).

    Args:
        covariance: (K, K) of the estimates. An estimate of variance 0 has no correlations; it counts as independent.
        freedom: degrees of freedom.
        rng: draws the statistics.
        level: the probability with which all K statistics lie within ± the quantile.
    """
    deviation = np.sqrt(np.diag(covariance))
    varies = deviation > 0
    scale = np.where(varies, deviation, 1.0)
    correlation = covariance / np.outer(scale, scale) + np.diag(np.where(varies, 0.0, 1.0))
    return float(np.quantile(np.abs(_correlated_t(correlation, freedom, rng)).max(axis=1), level))


def _correlated_t(covariance: NDArray[np.float64], freedom: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """(S, K) draws of the multivariate t distribution around 0 with a (K, K) scale matrix."""
    drawn = rng.multivariate_normal(np.zeros(len(covariance)), covariance, size=CORRELATED_DRAWS, method="eigh")
    return drawn / np.sqrt(rng.chisquare(freedom, size=(CORRELATED_DRAWS, 1)) / freedom)


@dataclass(frozen=True)
class SimultaneousMeans:
    """K means with intervals that all hold at once.

    Attributes:
        estimate: (K,) means.
        low: (K,) lower ends of the intervals.
        high: (K,) upper ends of the intervals.
        n: number of queries.
        clusters: number of clusters.
    """

    estimate: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    n: int
    clusters: int


def simultaneous_means(values: ArrayLike, clusters: ArrayLike, level: float = 0.95) -> SimultaneousMeans:
    """Means of K quantities of the same queries, with intervals that hold for all of them simultaneously.

    The standard errors are those of the jackknife over clusters (Arvesen 1969). They are multiplied by Šidák's (1967)
    bound on the quantile of the largest of K t statistics, since correlations that are estimated from few clusters make
    that quantile too small. Degrees of freedom are one less than the effective number of clusters of unequal sizes n,
    (Σ n)² / Σ n² (Kish 1965).

    Args:
        values: (N, K) numbers of any size.
        clusters: (N,) the cluster of each query.
        level: the probability with which all K intervals cover, at least.

    Raises:
        UserError: there are fewer than two clusters.
    """
    table, names = np.asarray(values, dtype=np.float64), np.asarray(clusters)
    unique, of_query = np.unique(names, return_inverse=True)
    count, quantities = len(unique), table.shape[1]
    if count < 2:
        raise UserError("intervals need queries of at least two concept pairs", option="clusters")
    sizes = np.bincount(of_query).astype(np.float64)
    sums = np.zeros((count, quantities))
    np.add.at(sums, of_query, table)
    without = (sums.sum(axis=0) - sums) / (len(table) - sizes)[:, None]  # the mean without each cluster
    error = np.sqrt((count - 1) / count * ((without - without.mean(axis=0)) ** 2).sum(axis=0))
    freedom = max(1.0, sizes.sum() ** 2 / (sizes**2).sum() - 1)
    half = float(student_quantile((1 + level ** (1 / quantities)) / 2, freedom)) * error
    mean = table.mean(axis=0)
    return SimultaneousMeans(mean, mean - half, mean + half, len(table), count)
