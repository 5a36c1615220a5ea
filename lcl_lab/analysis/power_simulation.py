"""How many queries and concept pairs it takes to see a difference, by simulating studies like the one at hand.

A query is a gain, a loss, or neither, by where a normal variable falls; the part that queries of a pair share makes
them as alike as those observed. Each simulated study is tested as a real one is, by `cluster_mcnemar`.
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
    """What differences between two conditions are like.

    Attributes:
        changed: share of queries that are a gain or a loss.
        alike: correlation of differences within a concept pair (intraclass), 0 to 1.
    """

    changed: float
    alike: float


def observed_clustering(difference: ArrayLike, clusters: ArrayLike) -> Clustering:
    """The clustering of (N,) differences in {−1, 0, 1}; the correlation is the one-way ANOVA estimate, at least 0.

    Raises:
        UserError: fewer than two clusters, or one query in each, which cannot show how alike they are.
    """
    values, names = np.asarray(difference, float), np.unique(np.asarray(clusters), return_inverse=True)[1]
    sizes = np.bincount(names)
    if len(sizes) < 2 or sizes.max() < 2:
        raise UserError("how alike queries of a concept pair are needs two pairs with two queries each")
    means = np.bincount(names, values) / sizes
    between = float((sizes * (means - values.mean()) ** 2).sum()) / (len(sizes) - 1)
    within = float(((values - means[names]) ** 2).sum()) / (len(values) - len(sizes))
    size = (len(values) - float((sizes**2).sum()) / len(values)) / (len(sizes) - 1)
    total = between + (size - 1) * within
    alike = max(0.0, (between - within) / total) if total > 0 else 0.0
    return Clustering(float((values != 0).mean()), alike)


def power(
    difference: float,
    clustering: Clustering,
    pairs: int,
    each: int,
    rng: np.random.Generator,
    studies: int = 400,
    level: float = 0.05,
) -> float:
    """The share of simulated studies of `pairs` concept pairs with `each` queries that find a difference in accuracy.

    Raises:
        UserError: a difference that so few changed queries cannot make.
    """
    shared, gain, loss = _latent(difference, clustering)
    common = rng.standard_normal((studies, pairs, 1)) * np.sqrt(shared)
    own = rng.standard_normal((studies, pairs, each)) * np.sqrt(1 - shared)
    found = (common + own > gain).astype(int) - (common + own < loss)
    sums = found.sum(axis=2)
    clusters = np.arange(pairs)
    return float(np.mean([cluster_mcnemar(study, clusters) <= level for study in sums]))


def pairs_needed(
    difference: float, clustering: Clustering, each: int, rng: np.random.Generator, target: float = 0.8
) -> int | None:
    """The fewest concept pairs, to within a tenth, with which a study has the power `target`; None above 4,096.

    Raises:
        UserError: as `power` does.
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
    """The share of a normal variable that a pair's queries have in common, and the bounds of gain and loss."""
    gains, losses = (clustering.changed + difference) / 2, (clustering.changed - difference) / 2
    if not (losses >= 0 and gains >= 0 and gains + losses <= 1):
        raise UserError(
            f"a difference of {difference:+.3f} needs more changed queries than {clustering.changed:.1%}; "
            f"the least is {abs(difference):.1%}"
        )
    gain, loss = float(stats.norm.isf(gains)), float(stats.norm.ppf(losses))
    if clustering.alike == 0:
        return 0.0, gain, loss
    most = 0.999
    gap = _alike(most, gain, loss) - clustering.alike
    shared = most if gap <= 0 else float(optimize.brentq(lambda s: _alike(s, gain, loss) - clustering.alike, 0, most))
    return shared, gain, loss


def _alike(shared: float, gain: float, loss: float) -> float:
    """The correlation of two differences of a pair whose normal variables have `shared` in common."""
    points, weights = np.polynomial.hermite_e.hermegauss(61)
    weights = weights / weights.sum()
    spread = np.sqrt(max(1 - shared, 1e-9))
    at: NDArray[np.float64] = np.sqrt(shared) * points
    up, down = stats.norm.sf((gain - at) / spread), stats.norm.cdf((loss - at) / spread)
    mean = float(weights @ (up - down))
    return (float(weights @ (up - down) ** 2) - mean**2) / (float(weights @ (up + down)) - mean**2)
