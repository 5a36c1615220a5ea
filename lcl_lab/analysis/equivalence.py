"""Whether two conditions do the same, for all that matters: two one-sided tests on paired differences."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from lcl_lab.errors import UserError

__all__ = ["Equivalence", "equivalence"]


@dataclass(frozen=True)
class Equivalence:
    """The mean difference with its 90 % interval, which lies within the margin where p < 0.05."""

    estimate: float
    low: float
    high: float
    margin: float
    p_value: float  # the larger of the two one-sided tests (Schuirmann 1987)


def equivalence(difference: ArrayLike, clusters: ArrayLike, margin: float) -> Equivalence:
    """TOST of the mean of N paired differences against ±`margin`, with standard errors robust to clusters.

    t distribution on (clusters − 1) degrees of freedom. Differences that are all 0 have no spread to go by: then p is
    the chance of that in as many clusters if the share of clusters that differ were as large as the margin.

    Raises:
        UserError: fewer than two clusters, or a margin that is not above 0.
    """
    values, groups = np.asarray(difference, float), np.unique(np.asarray(clusters), return_inverse=True)[1]
    if groups.max(initial=0) < 1:
        raise UserError("an equivalence test needs at least two clusters")
    if margin <= 0:
        raise UserError(f"margin {margin}: must be above 0")
    estimate = float(values.mean())
    if np.ptp(values) == 0:
        return _all_alike(estimate, int(groups.max()) + 1, margin)
    import statsmodels.api as sm

    fit = sm.OLS(values, np.ones(len(values))).fit(cov_type="cluster", cov_kwds={"groups": groups}, use_t=True)
    low, high = fit.conf_int(alpha=0.1)[0]
    p_values = []
    for bound, side in ((-margin, 1), (margin, -1)):
        test = fit.t_test(([[1.0]], [bound]))
        statistic = float(np.squeeze(test.tvalue))
        two_sided = float(np.squeeze(test.pvalue))
        p_values.append(two_sided / 2 if side * statistic > 0 else 1 - two_sided / 2)
    return Equivalence(estimate, float(low), float(high), margin, max(p_values))


def _all_alike(estimate: float, clusters: int, margin: float) -> Equivalence:
    reach = 1 - 0.05 ** (1 / clusters)  # the largest share that leaves none of the clusters different in 5 %
    p_value = (1 - margin) ** clusters if estimate == 0 else float(abs(estimate) >= margin)
    return Equivalence(estimate, estimate - reach, estimate + reach, margin, p_value)
