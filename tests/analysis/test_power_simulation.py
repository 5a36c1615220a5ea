from __future__ import annotations

import numpy as np
import pytest

from lcl_lab.analysis.power_simulation import Clustering, observed_clustering, pairs_needed, power
from lcl_lab.errors import UserError


def test_independent_queries_need_the_number_of_the_formula() -> None:
    """(1.96 √ψ + 0.84 √(ψ − δ²))² / δ² queries for McNemar's test (Connor 1987), here 625."""
    result = pairs_needed(0.05, Clustering(changed=0.2, correlation=0.0), 1, np.random.default_rng(0))
    assert result == pytest.approx(625, rel=0.15)


def test_correlated_queries_need_a_larger_study() -> None:
    rng = np.random.default_rng(1)
    sizes = [pairs_needed(0.1, Clustering(0.3, alike), 8, rng) for alike in (0.0, 0.2)]
    assert sizes[1] > 1.5 * sizes[0]


@pytest.mark.parametrize("alike", [0.0, 0.3])
def test_without_a_difference_the_power_is_the_level(alike: float) -> None:
    assert power(0.0, Clustering(0.3, alike), 40, 4, np.random.default_rng(2), studies=3000) <= 0.06


def test_observed_clustering_recovers_that_of_the_simulation() -> None:
    rng = np.random.default_rng(3)
    groups = np.repeat(np.arange(500), 6)
    tilt = rng.uniform(0.0, 0.4, 500)[groups]
    difference = (rng.random(3000) < tilt).astype(float)
    result = observed_clustering(difference, groups)
    variance = 0.4**2 / 12
    assert result.changed == pytest.approx(0.2, abs=0.02)
    assert result.correlation == pytest.approx(variance / (0.2 * 0.8), abs=0.03)


def test_impossible_requests_are_rejected() -> None:
    with pytest.raises(UserError, match="needs more changed queries"):
        power(0.05, Clustering(0.02, 0.1), 10, 2, np.random.default_rng(0))
    with pytest.raises(UserError, match="two queries each"):
        observed_clustering([0, 1, 0], [1, 2, 3])
    assert pairs_needed(0.001, Clustering(0.3, 0.5), 1, np.random.default_rng(0)) is None
