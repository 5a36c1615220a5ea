"""How sure an accuracy is: intervals that know that queries of one concept pair resemble one another.

Queries about the same pair of concepts share their difficulty, so N queries in C pairs say less than N independent
ones. Whole pairs are therefore resampled (Field and Welsh 2007, "Bootstrapping clustered data").

Letters: N values, C clusters, R bootstrap draws.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

__all__ = ["FEW", "cluster_bootstrap", "effective_size", "wilson"]

FEW = 10.0
"""Below this effective number of the rarer outcome a resampled mean is too lumpy and skewed to give an interval."""


def wilson(successes: float, n: float, level: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval of a proportion (Wilson 1927); both counts may be effective ones, hence fractional.

    Raises ValueError unless 0 <= successes <= n and n > 0.
    """
    from statsmodels.stats.proportion import proportion_confint

    if not (n > 0 and 0 <= successes <= n):
        raise ValueError(f"no proportion: {successes} of {n}")
    low, high = proportion_confint(successes, n, alpha=1 - level, method="wilson")
    # Rounding must not leave 1 − 1e-16 as the upper end of a perfect score.
    return (0.0 if successes == 0 else float(low)), (1.0 if successes == n else float(high))


def effective_size(values: ArrayLike, clusters: ArrayLike, level: float = 0.95) -> float:
    """How many independent 0/1 values tell as much as these (N,) values in their (N,) clusters.

    N divided by the design effect (never below 1), and by (t/z)² because that design effect is itself an estimate:
    t has the degrees of freedom that the spread of the cluster residuals supports (Satterthwaite by their kurtosis),
    which are few when a handful of clusters carry all the errors (in the way of Korn and Graubard 1998). Never below
    N²/Σn², the size if all queries of a cluster always agreed; values that do all agree cannot show how alike their
    clusters are inside, so they get exactly that size.

    Raises ValueError on values other than 0 and 1.
    """
    cells = _Cells.of(values, clusters)
    if not cells.binary:
        raise ValueError("an effective size is defined for values of 0 and 1 only")
    return cells.effective_size(level)


def cluster_bootstrap(
    values: ArrayLike,
    clusters: ArrayLike,
    rng: np.random.Generator,
    draws: int = 2000,
    level: float = 0.95,
) -> tuple[float, float]:
    """Interval (low, high) of the mean of (N,) values by resampling their (N,) clusters with replacement.

    The bias-corrected and accelerated bootstrap (Efron 1987), its tails widened from z to t·√(C/(C−1)) because C is
    small (Hesterberg 2015, "What teachers should know about the bootstrap").

    Near 0 or 1, where resampling the few errors gives an interval that is too narrow (of no width at all when there
    are none), 0/1 values with fewer than `FEW` effective errors or successes get Wilson's interval on `effective_size`
    instead: with everything right in C equal clusters that is Wilson's for C of C.

    Coverage at level 0.95 in simulations of 30 to 50 unequal beta-binomial clusters (within-cluster correlation 0.02
    to 0.3): 93 to 97 % for accuracies of 0.1 to 0.9, 92 to 98 % at 0.95, 91 to 98 % at 0.98.

    Raises ValueError when there are no values, when shapes differ, a value or a cluster is missing, or when values
    other than 0 and 1 come in a single cluster.
    """
    cells = _Cells.of(values, clusters)
    if cells.binary:
        size = cells.effective_size(level)
        if size * min(cells.mean, 1 - cells.mean) < FEW or cells.variance == 0:
            return wilson(cells.mean * size, size, level)
    if len(cells.counts) < 2:
        raise ValueError("one cluster alone says nothing about the spread between clusters")
    return _accelerated(cells, rng, draws, level)


@dataclass(frozen=True)
class _Cells:
    """The sums (C,) and counts (C,) of each cluster's values, in the order of the sorted cluster names."""

    sums: NDArray[np.float64]
    counts: NDArray[np.float64]
    binary: bool

    @classmethod
    def of(cls, values: ArrayLike, clusters: ArrayLike) -> _Cells:
        flat, names = np.asarray(values, dtype=np.float64), np.asarray(clusters)
        if flat.ndim != 1 or flat.shape != names.shape or not len(flat):
            raise ValueError(f"values {flat.shape} and clusters {names.shape} must be two filled arrays of one length")
        if not np.isfinite(flat).all():
            raise ValueError("a value is missing or not finite")
        if names.dtype.kind not in "iuUb":
            if any(name is None or name != name for name in names.tolist()):
                raise ValueError("a value has no cluster")
            names = names.astype(str)
        _, index = np.unique(names, return_inverse=True)
        sums = np.bincount(index, weights=flat).astype(np.float64)
        counts = np.bincount(index).astype(np.float64)
        return cls(sums, counts, bool(np.isin(flat, (0.0, 1.0)).all()))

    @property
    def mean(self) -> float:
        return float(self.sums.sum() / self.counts.sum())

    @property
    def residuals(self) -> NDArray[np.float64]:
        return self.sums - self.mean * self.counts

    @property
    def variance(self) -> float:
        """Of the mean, between clusters (the sandwich estimate with its C/(C−1))."""
        clusters = len(self.counts)
        spread = float((self.residuals**2).sum())
        if clusters < 2 or spread < 1e-12:
            return 0.0
        return spread / float(self.counts.sum()) ** 2 * clusters / (clusters - 1)

    def effective_size(self, level: float) -> float:
        n, clusters, mean = float(self.counts.sum()), len(self.counts), self.mean
        alike = n**2 / float((self.counts**2).sum())
        if clusters < 2 or mean in (0.0, 1.0):
            return alike
        freedom = float(clusters - 1)
        if self.variance > 0:
            squares = self.residuals**2
            kurtosis = clusters * float((squares**2).sum()) / float(squares.sum()) ** 2
            freedom = min(freedom, 2 * clusters / max(kurtosis - 1, 1e-9))
        design = max(1.0, self.variance / (mean * (1 - mean) / n))
        widening = float(stats.t.ppf((1 + level) / 2, freedom) / stats.norm.ppf((1 + level) / 2))
        return max(alike, n / design / widening**2)


def _accelerated(cells: _Cells, rng: np.random.Generator, draws: int, level: float) -> tuple[float, float]:
    clusters = len(cells.counts)
    drawn = rng.integers(clusters, size=(draws, clusters), dtype=np.int32)
    means = cells.sums[drawn].sum(axis=1) / cells.counts[drawn].sum(axis=1)
    residuals = cells.residuals
    spread = float((residuals**2).sum())
    acceleration = float((residuals**3).sum()) / (6 * spread**1.5) if spread > 0 else 0.0
    # Ties count half: resampled means of 0/1 values often equal the observed one.
    below = (float((means < cells.mean).mean()) + float((means <= cells.mean).mean())) / 2
    bias = float(stats.norm.ppf(np.clip(below, 0.5 / draws, 1 - 0.5 / draws)))
    reach = float(stats.t.ppf((1 + level) / 2, clusters - 1)) * (clusters / (clusters - 1)) ** 0.5

    def tail(sign: int) -> float:
        shifted = bias + sign * reach
        shrink = 1 - acceleration * shifted
        if shrink <= 0:
            return 0.0 if sign < 0 else 1.0
        return float(stats.norm.cdf(bias + shifted / shrink))

    low, high = np.quantile(means, [tail(-1), tail(+1)])
    return float(low), float(high)
