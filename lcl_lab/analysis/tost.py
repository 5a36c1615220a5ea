"""Equivalence of two conditions within a margin: two one-sided tests (TOST) on paired differences."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from statsmodels.regression.linear_model import OLS

from lcl_lab.errors import UserError

__all__ = ["Equivalence", "equivalence"]


@dataclass(frozen=True)
class Equivalence:
    """The result of an equivalence test.

    Attributes:
        estimate: the mean difference.
        low: lower end of its 90 % interval, which lies within ± `margin` exactly if p_value < 0.05.
        high: upper end of the interval.
        margin: the largest difference that counts as equivalent.
        p_value: the larger p-value of the two one-sided tests (Schuirmann 1987).
        n: number of paired differences.
        clusters: number of clusters.
    """

    estimate: float
    low: float
    high: float
    margin: float
    p_value: float
    n: int
    clusters: int


def equivalence(difference: ArrayLike, clusters: ArrayLike, margin: float) -> Equivalence:
    """Test that the mean of paired differences lies within ± `margin`.

    Two one-sided t tests (TOST; Schuirmann 1987) with cluster-robust standard errors and C − 1 degrees of freedom, C
    being the number of clusters. If all differences are equal, there is no variance to use. For differences of 0 the
    p-value is then (1 − margin)^C, the probability that none of C clusters differs if a share `margin` of them does.

    Args:
        difference: (N,) outcome under b minus outcome under a.
        clusters: (N,) the cluster of each difference.
        margin: above 0.

    Raises:
        UserError: fewer than two clusters, or a margin that is not above 0.
    """
    values, groups = np.asarray(difference, float), np.unique(np.asarray(clusters), return_inverse=True)[1]
    if groups.max(initial=0) < 1:
        raise UserError("an equivalence test needs at least two clusters")
    if margin <= 0:
        raise UserError("must be above 0", option="margin", value=margin)
    estimate = float(values.mean())
    if np.ptp(values) == 0:
        return _without_variance(estimate, len(values), int(groups.max()) + 1, margin)
    fit = OLS(values, np.ones(len(values))).fit(cov_type="cluster", cov_kwds={"groups": groups}, use_t=True)
    low, high = fit.conf_int(alpha=0.1)[0]
    p_values = []
    for bound, side in ((-margin, 1), (margin, -1)):
        test = fit.t_test(([[1.0]], [bound]))
        statistic = float(np.squeeze(test.tvalue))
        two_sided = float(np.squeeze(test.pvalue))
        p_values.append(two_sided / 2 if side * statistic > 0 else 1 - two_sided / 2)
    return Equivalence(estimate, float(low), float(high), margin, max(p_values), len(values), int(groups.max()) + 1)


def _without_variance(estimate: float, n: int, clusters: int, margin: float) -> Equivalence:
    reach = 1 - 0.05 ** (1 / clusters)  # a larger share of differing clusters would show up in 95 % of samples
    p_value = (1 - margin) ** clusters if estimate == 0 else float(abs(estimate) >= margin)
    return Equivalence(estimate, estimate - reach, estimate + reach, margin, p_value, n, clusters)
