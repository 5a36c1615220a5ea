"""Intervals that hold for several correlated estimates simultaneously.

Letters: K estimates, S draws.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["DRAWS", "simultaneous_quantile"]

DRAWS = 20_000
"""Draws of a multivariate distribution, of which the quantiles are taken."""


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
    drawn = rng.multivariate_normal(np.zeros(len(covariance)), covariance, size=DRAWS, method="eigh")
    return drawn / np.sqrt(rng.chisquare(freedom, size=(DRAWS, 1)) / freedom)
