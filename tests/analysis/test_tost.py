from __future__ import annotations

import numpy as np
import pytest
from statsmodels.stats.weightstats import ttost_paired

from lcl_lab.analysis import equivalence
from lcl_lab.errors import UserError


def clustered(rng: np.random.Generator, mean: float, clusters: int = 50, each: int = 40) -> tuple[np.ndarray, ...]:
    """Differences in {-1, 0, 1}, correlated within clusters."""
    groups = np.repeat(np.arange(clusters), each)
    tilt = mean + rng.normal(0, 0.02, clusters)[groups]
    draws = rng.random(len(groups))
    return (draws < 0.1 + tilt / 2).astype(float) - (draws > 0.9 + tilt / 2), groups


def test_with_every_value_its_own_cluster_it_is_the_textbook_test() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(0, 1, 400), rng.normal(0.02, 1, 400)
    ours = equivalence(b - a, np.arange(400), 0.15)
    theirs = ttost_paired(b, a, -0.15, 0.15)[0]
    assert ours.p_value == pytest.approx(float(theirs), rel=0.02)


def test_the_error_rate_at_the_margin_is_close_to_five_percent() -> None:
    rng = np.random.default_rng(1)
    wrong = [equivalence(*clustered(rng, 0.02), 0.02).p_value < 0.05 for _ in range(2000)]
    assert 0.025 < np.mean(wrong) <= 0.06


def test_the_interval_lies_within_the_margin_exactly_if_significant() -> None:
    rng = np.random.default_rng(2)
    for _ in range(200):
        result = equivalence(*clustered(rng, 0.005), 0.02)
        assert (result.p_value < 0.05) == (result.low > -0.02 and result.high < 0.02)


@pytest.mark.parametrize(("clusters", "same"), [(10, False), (200, True)])
def test_no_difference_at_all_is_equivalence_given_enough_clusters(clusters: int, same: bool) -> None:
    result = equivalence(np.zeros(clusters), np.arange(clusters), 0.02)
    assert (result.p_value < 0.05) is same
    assert (result.low > -0.02) is same


def test_a_constant_difference_above_the_margin_is_not_equivalence() -> None:
    assert equivalence(np.full(200, -1.0), np.arange(200), 0.02).p_value == 1


def test_a_single_cluster_and_a_margin_of_0_are_rejected() -> None:
    with pytest.raises(UserError, match="two clusters"):
        equivalence([0.0, 1.0], ["a", "a"], 0.02)
    with pytest.raises(UserError, match="margin"):
        equivalence([0.0, 1.0], ["a", "b"], 0.0)


def test_the_interval_has_nominal_coverage() -> None:
    rng = np.random.default_rng(3)
    result = [equivalence(*clustered(rng, 0.01), 0.02) for _ in range(2000)]
    assert 0.88 <= np.mean([one.low <= 0.01 <= one.high for one in result]) <= 0.92  # nominally 90 %
