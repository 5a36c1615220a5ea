"""Simultaneous intervals against an independent regression and by simulation."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm

from lcl_lab.analysis import simultaneous_means
from lcl_lab.errors import UserError


def draw(rng: np.random.Generator, pairs: int, quantities: int) -> tuple[np.ndarray, np.ndarray]:
    """Four queries per pair that share an effect; half of the variance is common to all quantities."""
    clusters = np.repeat(np.arange(pairs), 4)
    common = rng.normal(size=(pairs, 1))
    effects = common + rng.normal(size=(pairs, quantities))
    return effects[clusters] + rng.normal(size=(len(clusters), quantities)), clusters


def test_one_mean_has_the_interval_of_a_regression_with_clustered_errors() -> None:
    values, clusters = draw(np.random.default_rng(0), 30, 1)
    found = simultaneous_means(values, clusters)
    fit = sm.OLS(values[:, 0], np.ones(len(values))).fit(
        cov_type="cluster", cov_kwds={"groups": clusters, "use_correction": True}, use_t=True
    )
    # Its small-sample factor has (N − 1) / (N − P) = 1 in addition, for one parameter.
    low, high = fit.conf_int()[0]
    assert found.estimate[0] == pytest.approx(fit.params[0])
    assert (found.low[0], found.high[0]) == pytest.approx((low, high), abs=0.02)  # the same degrees of freedom
    assert (found.n, found.clusters) == (120, 30)


@pytest.mark.slow
@pytest.mark.parametrize("quantities", [1, 12])
def test_all_intervals_cover_together_with_the_nominal_probability(quantities: int) -> None:
    covered = []
    for seed in range(400):
        rng = np.random.default_rng(seed)
        values, clusters = draw(rng, 25, quantities)
        found = simultaneous_means(values, clusters)
        covered.append(bool(((found.low <= 0) & (found.high >= 0)).all()))
    assert 0.92 <= np.mean(covered) <= 0.98


def test_intervals_of_many_means_are_wider_than_that_of_one() -> None:
    values, clusters = draw(np.random.default_rng(0), 25, 12)
    together = simultaneous_means(values, clusters)
    alone = simultaneous_means(values[:, :1], clusters)
    assert together.high[0] - together.low[0] > 1.2 * (alone.high[0] - alone.low[0])


def test_a_quantity_that_never_varies_has_its_value_as_interval() -> None:
    values, clusters = draw(np.random.default_rng(0), 25, 2)
    values[:, 1] = 0.25
    found = simultaneous_means(values, clusters)
    assert (found.low[1], found.estimate[1], found.high[1]) == (0.25, 0.25, 0.25)


def test_one_pair_is_too_few() -> None:
    with pytest.raises(UserError, match="at least two concept pairs"):
        simultaneous_means(np.zeros((4, 2)), np.zeros(4))
