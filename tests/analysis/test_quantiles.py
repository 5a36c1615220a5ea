"""Distributions, intervals and adjusted p-values are those of SciPy and statsmodels."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

from lcl_lab.analysis import adjust, wilson
from lcl_lab.analysis.paired import _mcnemar
from lcl_lab.analysis.quantiles import normal_cdf, normal_quantile, normal_tail, student_quantile

RNG = np.random.default_rng(0)


def test_distributions_are_those_of_scipy() -> None:
    shares, values, freedom = RNG.random(500), RNG.normal(scale=4, size=500), 1 + 60 * RNG.random(500)
    assert (normal_cdf(values) == stats.norm.cdf(values)).all()
    assert (normal_tail(values) == stats.norm.sf(values)).all()
    assert (normal_quantile(shares) == stats.norm.ppf(shares)).all()
    assert (student_quantile(shares, freedom) == stats.t.ppf(shares, freedom)).all()


def test_wilsons_interval_is_that_of_statsmodels() -> None:
    for trials in 1 + 300 * RNG.random(200):
        successes = trials * RNG.random()
        assert wilson(successes, trials, 0.9) == proportion_confint(successes, trials, alpha=1 - 0.9, method="wilson")


@pytest.mark.parametrize(("method", "column"), [("holm", "holm"), ("fdr_bh", "bh")])
def test_adjusted_p_values_are_those_of_statsmodels(method: str, column: str) -> None:
    for count in range(1, 30):
        p_values = RNG.random(count) ** 3
        assert adjust(p_values.tolist())[column].tolist() == pytest.approx(multipletests(p_values, method=method)[1])


@pytest.mark.parametrize(("gains", "losses"), [(0, 0), (5, 5), (0, 9), (12, 3), (300, 250)])
def test_mcnemars_test_is_that_of_statsmodels(gains: int, losses: int) -> None:
    assert _mcnemar(gains, losses) == pytest.approx(mcnemar([[7, losses], [gains, 8]], exact=True).pvalue, rel=1e-10)
