from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm

from lcl_lab.analysis.logistic import clustered_logistic


@pytest.mark.parametrize(("clusters", "effects"), [(5, 1), (40, 1), (60, 16)])
def test_it_equals_statsmodels_gee_with_the_correction_for_few_clusters(clusters: int, effects: int) -> None:
    rng = np.random.default_rng(clusters + effects)
    groups = rng.integers(clusters, size=40 * clusters)
    groups[:clusters] = np.arange(clusters)  # each is there, and none is as large as the next
    design = np.column_stack([np.ones(len(groups)), rng.integers(0, 3, size=(len(groups), effects)) / 2])
    odds = design @ rng.normal(0, 0.5, size=effects + 1) + rng.normal(0, 0.7, size=clusters)[groups]
    right = rng.random(len(groups)) < 1 / (1 + np.exp(-odds))
    parameters, steps = clustered_logistic(design, right, groups)
    model = sm.GEE(
        right.astype(float), design, groups, family=sm.families.Binomial(), cov_struct=sm.cov_struct.Independence()
    )
    theirs = model.fit(cov_type="bias_reduced", maxiter=200)
    np.testing.assert_allclose(parameters, theirs.params, rtol=1e-6)
    np.testing.assert_allclose(steps.T @ steps, theirs.cov_params(), rtol=1e-5)


def test_a_parameter_that_depends_on_one_cluster_has_no_covariance() -> None:
    groups = np.repeat(np.arange(4), 6)
    only = (groups == 0).astype(float) * (np.arange(24) % 2)
    right = np.arange(24) % 3 == 0
    _, steps = clustered_logistic(np.column_stack([np.ones(24), only]), right, groups)
    assert not np.isfinite(steps).all()
