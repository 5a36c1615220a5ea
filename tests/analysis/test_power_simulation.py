from __future__ import annotations

import numpy as np
import pytest

from lcl_lab.analysis import difference_of_strategies
from lcl_lab.analysis.power_simulation import (
    Clustering,
    observed_clustering,
    pairs_needed,
    power,
    strategy_pairs_needed,
    strategy_power,
)
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


@pytest.mark.parametrize("trainings", [2, 3, 5])
@pytest.mark.parametrize("deviation", [0.0, 0.02, 0.06])
def test_without_a_difference_between_strategies_the_power_is_at_most_the_level(
    trainings: int, deviation: float
) -> None:
    rng = np.random.default_rng(4)
    assert strategy_power(0.0, Clustering(0.2, 0.1), trainings, deviation, 50, 4, rng, studies=20000) <= 0.06


@pytest.mark.parametrize(("trainings", "deviation"), [(3, 0.0), (3, 0.03), (5, 0.03)])
def test_the_power_of_strategies_is_that_of_simulated_answers(trainings: int, deviation: float) -> None:
    """0/1 answers to easy and hard queries, with strong and weak pairs of each strategy, tested as a study would."""
    rng = np.random.default_rng([5, trainings])
    pairs, each, difference = 40, 4, 0.1
    groups = np.repeat(np.arange(pairs), each)
    found, observed = [], []
    for _ in range(300):
        hard = rng.choice([-0.3, 0.3], pairs * each)
        sides = []
        for sign in (-1, 1):
            strategy = sign * difference / 2 + rng.normal(0, 0.08, pairs)[groups]
            chance = 0.5 + hard + strategy + rng.normal(0, deviation, (trainings, 1))
            sides.append((rng.random(chance.shape) < chance).astype(float))
        found.append(difference_of_strategies(*sides, groups).p_value < 0.05)
        observed.append(observed_clustering(sides[1][0] - sides[0][0], groups))
    clustering = Clustering(
        float(np.mean([one.changed for one in observed])), float(np.mean([one.correlation for one in observed]))
    )
    predicted = strategy_power(difference, clustering, trainings, deviation, pairs, each, rng)
    assert np.mean(found) == pytest.approx(predicted, abs=0.09)


def test_more_trainings_need_fewer_pairs_and_too_few_never_suffice() -> None:
    rng = np.random.default_rng(6)
    clustering = Clustering(0.2, 0.1)
    needed = [strategy_pairs_needed(0.05, clustering, trainings, 0.02, 4, rng) for trainings in (2, 5, 10)]
    assert needed[0] is None
    assert needed[1] is not None
    assert needed[2] is not None
    assert needed[1] > 1.5 * needed[2]


def test_impossible_requests_are_rejected() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(UserError, match="at least two trainings"):
        strategy_power(0.05, Clustering(0.2, 0.1), 1, 0.02, 10, 2, rng)
    with pytest.raises(UserError, match="deviation"):
        strategy_power(0.05, Clustering(0.2, 0.1), 2, -0.02, 10, 2, rng)
    with pytest.raises(UserError, match="needs more changed queries"):
        strategy_power(0.3, Clustering(0.2, 0.1), 2, 0.02, 10, 2, rng)
    with pytest.raises(UserError, match="needs more changed queries"):
        power(0.05, Clustering(0.02, 0.1), 10, 2, np.random.default_rng(0))
    with pytest.raises(UserError, match="two queries each"):
        observed_clustering([0, 1, 0], [1, 2, 3])
    assert pairs_needed(0.001, Clustering(0.3, 0.5), 1, np.random.default_rng(0)) is None
