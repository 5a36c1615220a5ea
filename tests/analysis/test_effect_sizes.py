from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.special import expit
from scipy.stats import norm

from lcl_lab.analysis import ceiling_share, difference_interval, odds_ratio
from lcl_lab.errors import UserError

POINTS = norm.ppf((np.arange(4000) + 0.5) / 4000)
PAIR, QUERY = 0.8, 0.6  # standard deviations of log-odds
ANSWERS = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=12, max_size=24)


def answers(rng: np.random.Generator, log_odds: tuple[float, float], pairs: int) -> tuple[NDArray[np.float64], ...]:
    """0/1 answers under two conditions to 4 queries of each pair, whose difficulty both share."""
    clusters = np.repeat(np.arange(pairs), 4)
    ease = rng.normal(0, PAIR, pairs)[clusters] + rng.normal(0, QUERY, 4 * pairs)
    a, b = ((rng.random(4 * pairs) < expit(shift + ease)).astype(float) for shift in log_odds)
    return a, b, clusters


def marginal(log_odds: float) -> float:
    return float(expit(log_odds + np.hypot(PAIR, QUERY) * POINTS).mean())


def test_the_odds_ratio_is_that_of_the_two_accuracies() -> None:
    a, b = np.repeat([1.0, 0.0], [30, 70]), np.tile([1.0, 1.0, 1.0, 0.0], 25)
    result = odds_ratio(a, b, np.arange(100) % 20)
    assert result.estimate == pytest.approx((0.75 / 0.25) / (0.3 / 0.7))
    assert result.low < result.estimate < result.high
    assert (result.n, result.clusters) == (100, 20)


@pytest.mark.slow
@pytest.mark.parametrize(("pairs", "log_odds"), [(15, (0.0, 0.0)), (50, (1.0, 2.5)), (15, (-1.5, 3.5))])
def test_effect_sizes_have_nominal_coverage(log_odds: tuple[float, float], pairs: int) -> None:
    rng = np.random.default_rng([1, pairs, int(10 * log_odds[1])])
    accuracy_a, accuracy_b = map(marginal, log_odds)
    odds = accuracy_b / (1 - accuracy_b) * (1 - accuracy_a) / accuracy_a
    of_odds, of_share = [], []
    for _ in range(300):
        a, b, clusters = answers(rng, log_odds, pairs)
        result = odds_ratio(a, b, clusters)
        of_odds.append(result.low <= odds <= result.high)
        if log_odds[1]:
            share = ceiling_share(a, b, clusters)
            of_share.append(share.low <= (accuracy_a - 0.5) / (accuracy_b - 0.5) <= share.high)
    assert np.mean(of_odds) >= 0.91  # 300 draws
    assert not of_share or np.mean(of_share) >= 0.91


@settings(max_examples=25, deadline=None)
@given(ANSWERS)
def test_the_odds_ratio_decides_as_the_difference_does(pairs_of_answers: list[tuple[bool, bool]]) -> None:
    a, b = np.array(pairs_of_answers, float).T
    clusters = np.arange(len(a)) // 2
    result = odds_ratio(a, b, clusters)
    low, high = difference_interval(b - a, clusters)
    assert (result.low > 1) == (low > 0)
    assert (result.high < 1) == (high < 0)
    assert np.isnan(result.estimate) or result.low <= result.estimate <= result.high


@settings(max_examples=15, deadline=None)
@given(ANSWERS)
def test_swapped_conditions_have_the_reciprocal_odds_ratio(pairs_of_answers: list[tuple[bool, bool]]) -> None:
    a, b = np.array(pairs_of_answers, float).T
    clusters = np.arange(len(a)) // 2
    one, other = odds_ratio(a, b, clusters), odds_ratio(b, a, clusters)
    with np.errstate(divide="ignore"):
        swapped = np.divide(1.0, [other.estimate, other.high, other.low])
    assert (one.estimate, one.low, one.high) == pytest.approx(tuple(swapped), rel=1e-6, nan_ok=True)


def test_perfect_accuracies_have_bounded_ends() -> None:
    clusters = np.arange(40) // 2
    all_right = odds_ratio(np.tile([1.0, 0.0], 20), np.ones(40), clusters)
    assert np.isinf(all_right.estimate)
    assert 1 < all_right.low < all_right.high == np.inf
    both = odds_ratio(np.ones(40), np.ones(40), clusters)
    assert np.isnan(both.estimate)
    assert both.low < 1 < both.high


def test_a_model_as_good_as_its_ceiling_has_gone_the_whole_way() -> None:
    a, _, clusters = answers(np.random.default_rng(2), (2.0, 2.0), 40)
    result = ceiling_share(a, a, clusters)
    assert (result.estimate, result.accuracy) == (1, result.ceiling)
    assert 0.9 < result.low <= 1 <= result.high < 1.1  # the same answers: nothing varies but the arms of accuracy
    assert ceiling_share(1 - a, a, clusters).estimate == pytest.approx(-1)
    at_chance = ceiling_share(np.tile([1.0, 0.0], 80), a, clusters)
    assert at_chance.low < 0 == at_chance.estimate < at_chance.high


def test_the_share_is_that_of_accuracies_above_chance() -> None:
    values, best = np.repeat([1.0, 0.0], [70, 30]), np.repeat([1.0, 0.0], [90, 10])
    assert ceiling_share(values, best, np.arange(100)).estimate == pytest.approx(0.5)
    assert ceiling_share(values, best, np.arange(100), chance=0.25).estimate == pytest.approx(0.45 / 0.65)


def test_a_ceiling_at_chance_is_refused() -> None:
    coin = np.tile([1.0, 0.0], 40)
    with pytest.raises(UserError, match="may be at chance"):
        ceiling_share(np.ones(80), coin, np.arange(80) // 4)


def test_sides_that_cannot_be_compared_are_refused() -> None:
    with pytest.raises(UserError, match="same queries"):
        odds_ratio([1.0, 0.0], [1.0], ["a", "b"])
    with pytest.raises(UserError, match="between 0 and 1"):
        odds_ratio([1.0, 2.0], [1.0, 0.0], ["a", "b"])
    with pytest.raises(UserError, match="none may be missing"):
        ceiling_share([1.0, np.nan], [1.0, 0.0], ["a", "b"])
