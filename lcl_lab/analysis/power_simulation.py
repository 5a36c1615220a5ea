"""Sample size by simulation: the queries and concept pairs needed to detect a difference between two conditions.

In a simulated study a query is a gain, a loss, or neither, depending on the value of a normal variable that queries of
a pair share in part; that share is set so that their correlation is the given one. Each study is tested by
`cluster_mcnemar`, as a real one is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize, stats

from lcl_lab.analysis.paired import cluster_mcnemar
from lcl_lab.errors import UserError

__all__ = ["Clustering", "observed_clustering", "pairs_needed", "power"]

_MOST_PAIRS = 4096


@dataclass(frozen=True)
class Clustering:
    """How paired differences are distributed over concept pairs.

    Attributes:
        changed: share of queries that are a gain or a loss.
        correlation: intraclass correlation of differences within a concept pair, 0 to 1.
    """

    changed: float
    correlation: float


def observed_clustering(difference: ArrayLike, clusters: ArrayLike) -> Clustering:
    """Estimate the clustering of the differences in a finished study.

    The correlation is the one-way analysis-of-variance estimate (MS_B − MS_W)/(MS_B + (m − 1)·MS_W), at least 0, with
    m the mean number of queries per cluster corrected for unequal sizes.

    Args:
        difference: (N,) values in {−1, 0, 1}: outcome under b minus outcome under a.
        clusters: (N,) the concept pair of each query.

    Raises:
        UserError: fewer than two clusters, or one query in each, which does not show their correlation.
    """
    values, names = np.asarray(difference, float), np.unique(np.asarray(clusters), return_inverse=True)[1]
    sizes = np.bincount(names)
    if len(sizes) < 2 or sizes.max() < 2:
        raise UserError("the correlation within concept pairs needs at least two pairs with two queries each")
    means = np.bincount(names, values) / sizes
    between = float((sizes * (means - values.mean()) ** 2).sum()) / (len(sizes) - 1)
    within = float(((values - means[names]) ** 2).sum()) / (len(values) - len(sizes))
    size = (len(values) - float((sizes**2).sum()) / len(values)) / (len(sizes) - 1)
    total = between + (size - 1) * within
    correlation = max(0.0, (between - within) / total) if total > 0 else 0.0
    return Clustering(float((values != 0).mean()), correlation)


def power(
    difference: float,
    clustering: Clustering,
    pairs: int,
    each: int,
    rng: np.random.Generator,
    studies: int = 400,
    level: float = 0.05,
) -> float:
    """The probability that a study detects a difference in accuracy, by simulation.

    Args:
        difference: accuracy under b minus accuracy under a.
        clustering: of the paired differences.
        pairs: number of concept pairs.
        each: queries per concept pair.
        rng: draws the studies.
        studies: number of simulated studies.
        level: significance level of the test.

    Raises:
        UserError: the difference is larger than the share of changed queries allows.
    """
    shared, gain, loss = _latent(difference, clustering)
    common = rng.standard_normal((studies, pairs, 1)) * np.sqrt(shared)
    separate = rng.standard_normal((studies, pairs, each)) * np.sqrt(1 - shared)
    outcomes = (common + separate > gain).astype(int) - (common + separate < loss)
    sums = outcomes.sum(axis=2)
    clusters = np.arange(pairs)
    return float(np.mean([cluster_mcnemar(study, clusters) <= level for study in sums]))


def pairs_needed(
    difference: float, clustering: Clustering, each: int, rng: np.random.Generator, target: float = 0.8
) -> int | None:
    """The smallest number of concept pairs with which a study reaches a given power.

    Args:
        difference: accuracy under b minus accuracy under a.
        clustering: of the paired differences.
        each: queries per concept pair.
        rng: draws the studies.
        target: the power to reach, 0 to 1.

    Returns:
        The number of pairs, to within a tenth; None if more than 4,096 are needed.

    Raises:
        UserError: as `power`.
    """
    low, high = 1, 4
    while power(difference, clustering, high, each, rng) < target:
        low, high = high, 2 * high
        if high > _MOST_PAIRS:
            return None
    while high - low > max(1, high // 10):
        middle = (low + high) // 2
        if power(difference, clustering, middle, each, rng) < target:
            low = middle
        else:
            high = middle
    return high


def _latent(difference: float, clustering: Clustering) -> tuple[float, float, float]:
    """The part of the normal variable's variance that queries of a pair share, and the thresholds of gain and loss."""
    gains, losses = (clustering.changed + difference) / 2, (clustering.changed - difference) / 2
    if not (losses >= 0 and gains >= 0 and gains + losses <= 1):
        raise UserError(
            f"a difference of {difference:+.3f} needs more changed queries than {clustering.changed:.1%}; "
            f"at least {abs(difference):.1%} must change"
        )
    gain, loss = float(stats.norm.isf(gains)), float(stats.norm.ppf(losses))
    if clustering.correlation == 0:
        return 0.0, gain, loss
    most = 0.999
    gap = _correlation(most, gain, loss) - clustering.correlation
    shared = (
        most
        if gap <= 0
        else float(optimize.brentq(lambda s: _correlation(s, gain, loss) - clustering.correlation, 0, most))
    )
    return shared, gain, loss


def _correlation(shared: float, gain: float, loss: float) -> float:
    """The correlation of two differences of a pair whose normal variables share the variance `shared`."""
    points, weights = np.polynomial.hermite_e.hermegauss(61)
    weights = weights / weights.sum()
    spread = np.sqrt(max(1 - shared, 1e-9))
    at: NDArray[np.float64] = np.sqrt(shared) * points
    up, down = stats.norm.sf((gain - at) / spread), stats.norm.cdf((loss - at) / spread)
    mean = float(weights @ (up - down))
    return (float(weights @ (up - down) ** 2) - mean**2) / (float(weights @ (up + down)) - mean**2)
