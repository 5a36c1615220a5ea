from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit
from scipy.stats import norm

from lcl_lab.analysis import components, order_and_draw, seeds
from lcl_lab.errors import UserError

ORDER, DRAW = 0.3, 0.5
SEED_DEVIATION, PAIR_DEVIATION, REST_DEVIATION = 0.05, 0.1, 0.15


def supports(rng: np.random.Generator, order: float = ORDER, draw: float = DRAW) -> tuple[np.ndarray, ...]:
    """50 pairs, 4 queries each, easy or hard; 5 orders of one support, and 5 supports, each in a different order."""
    pairs = np.repeat(np.arange(50), 4)
    size = (200, 5)
    hard = rng.normal(0, 1, 50)[pairs][:, None] + rng.normal(0, 1, (200, 1))
    scale = rng.gamma(4, 1 / 4, 50)[pairs][:, None] ** 0.5  # some pairs mind more than others
    orders = hard + scale * rng.normal(0, order, size)
    return orders, hard + scale * (rng.normal(0, order, size) + rng.normal(0, draw, size)), pairs


def trained(
    rng: np.random.Generator, repetitions: int, pairs: int, each: int, mean: float, deviation: float
) -> np.ndarray:
    """(repetitions, pairs) accuracies over `each` 0/1 answers; in log-odds, seeds, pairs and both together vary."""
    log_odds = np.log(mean / (1 - mean))
    seed = rng.normal(0, deviation / (mean * (1 - mean)), (repetitions, 1))
    pair, both = rng.normal(0, 0.8, pairs), rng.normal(0, 0.5, (repetitions, pairs))
    return rng.binomial(each, expit(log_odds + seed + pair + both)) / each


def truth(mean: float, deviation: float) -> tuple[float, float]:
    """The mean accuracy of `trained` and the standard deviation of a seed's, by quadrature."""
    points, weights = norm.ppf((np.arange(2000) + 0.5) / 2000), 1 / 2000
    seed = points[:, None] * deviation / (mean * (1 - mean))
    accuracies = (expit(np.log(mean / (1 - mean)) + seed + points * np.hypot(0.8, 0.5)) * weights).sum(axis=1)
    return float(accuracies.mean()), float(accuracies.std())


def unstable(rng: np.random.Generator, log_odds: float, pairs: int) -> tuple[np.ndarray, np.ndarray, float]:
    """(4·pairs, 4) 0/1 answers to 4 queries of each pair under 4 orders, their pairs, and their deviation over orders.

    The chance of a correct answer differs between pairs and between queries. Far from 0, answers rarely change.
    """
    groups = np.repeat(np.arange(pairs), 4)
    chance = expit(log_odds + rng.normal(0, 1, pairs)[groups] + rng.normal(0, 1, 4 * pairs))
    points = expit(log_odds + 2**0.5 * norm.ppf((np.arange(20000) + 0.5) / 20000))
    answers = (rng.random((4 * pairs, 4)) < chance[:, None]).astype(float)
    return answers, groups, float((points * (1 - points)).mean()) ** 0.5


def test_components_are_those_of_the_textbook() -> None:
    """Two by two, by hand: rows differ by 2, columns by 1, with no residual."""
    result = components([[0.0, 1.0], [2.0, 3.0]])
    assert (result.repetition, result.query, result.rest) == pytest.approx((2.0, 0.5, 0.0))


def test_the_intervals_of_components_have_nominal_coverage() -> None:
    rng = np.random.default_rng(5)
    inside = []
    for _ in range(1000):
        table = (
            rng.normal(0, SEED_DEVIATION, (5, 1))
            + rng.normal(0, PAIR_DEVIATION, 20)
            + rng.normal(0, REST_DEVIATION, (5, 20))
        )
        result = components(table)
        inside.append(
            (
                result.repetition_low <= SEED_DEVIATION**2 <= result.repetition_high,
                result.query_low <= PAIR_DEVIATION**2 <= result.query_high,
                result.rest_low <= REST_DEVIATION**2 <= result.rest_high,
            )
        )
    assert all(0.93 <= share <= 0.98 for share in np.mean(inside, axis=0))


def test_seeds_that_differ_by_chance_have_no_variance_between_them() -> None:
    rng = np.random.default_rng(0)
    result = [seeds(rng.binomial(4, 0.6, (5, 60)) / 4).between_seeds ** 2 for _ in range(400)]
    assert np.mean(result) < 0.1 * 0.6 * 0.4 / 4 / 5
    table = rng.uniform(0.4, 0.8, (5, 1)) + rng.uniform(-0.2, 0.2, (5, 400))
    assert 0.04 < seeds(table).between_seeds < 0.2
    assert seeds(table).between_queries == pytest.approx(0.4 / 12**0.5, abs=0.01)


@pytest.mark.parametrize("repetitions", [2, 5])
@pytest.mark.parametrize(
    ("mean", "deviation", "pairs", "each"),
    [(0.6, 0.0, 50, 4), (0.6, 0.02, 50, 100), (0.6, 0.06, 50, 4), (0.9, 0.02, 20, 4), (0.99, 0.002, 50, 4)],
)
def test_the_intervals_over_seeds_have_nominal_coverage(
    repetitions: int, mean: float, deviation: float, pairs: int, each: int
) -> None:
    """Coverage exceeds 98 % only at the boundary: two seeds, a deviation of 0, or hardly any wrong answer."""
    rng = np.random.default_rng([1, repetitions, pairs, each])
    true_mean, true_deviation = truth(mean, deviation)
    results = [seeds(trained(rng, repetitions, pairs, each, mean, deviation)) for _ in range(400)]
    assert np.mean([one.low <= true_mean <= one.high for one in results]) >= 0.93
    of_deviation = np.mean(
        [one.between_seeds_low - 1e-9 <= true_deviation <= one.between_seeds_high for one in results]
    )
    assert of_deviation >= 0.93
    if mean < 0.9 and repetitions > 2 and deviation:
        assert np.mean([one.low <= true_mean <= one.high for one in results]) <= 0.99
        assert of_deviation <= 0.99


def test_seeds_that_are_always_right_have_the_resolution_of_their_pairs() -> None:
    for pairs, resolution in ((10, 0.278), (50, 0.071)):
        result = seeds(np.ones((3, pairs)))
        assert (result.mean, result.high, result.between_seeds, result.between_seeds_low) == (1, 1, 0, 0)
        assert result.low == pytest.approx(1 - resolution, abs=0.001)
        assert result.between_seeds_high == pytest.approx(resolution, abs=0.001)
        assert result.between_queries_high > 0
    equal = seeds(np.full((3, 7), 0.3))  # 0.3 is rounded: its mean squares are not exactly 0
    assert equal.low < 0.2
    assert equal.between_seeds_high > 0.1


def test_a_deviation_estimated_as_0_has_an_upper_limit() -> None:
    """Three seeds of equal accuracy that err on different queries."""
    table = np.ones((3, 30))
    table[[0, 1, 2], [0, 1, 2]] = 0
    result = seeds(table)
    assert (result.between_seeds, result.between_seeds_low) == (0, 0)
    assert 0.05 < result.between_seeds_high < 0.3


def test_order_and_draw_are_separated_with_nominal_coverage() -> None:
    rng = np.random.default_rng(2)
    result = [order_and_draw(*supports(rng)) for _ in range(1200)]
    both = (ORDER**2 + DRAW**2) ** 0.5
    assert np.mean([one.order for one in result]) == pytest.approx(ORDER, rel=0.03)
    assert np.mean([one.draw for one in result]) == pytest.approx(both, rel=0.03)
    assert 0.93 <= np.mean([one.order_low <= ORDER <= one.order_high for one in result]) <= 0.97
    assert 0.93 <= np.mean([one.draw_low <= both <= one.draw_high for one in result]) <= 0.97
    share = ORDER**2 / both**2
    assert 0.93 <= np.mean([one.share_low <= share <= one.share_high for one in result]) <= 0.97


@pytest.mark.parametrize("pairs", [10, 50])
@pytest.mark.parametrize("log_odds", [0.0, 3.0, 5.0, 6.0])
def test_answers_that_rarely_change_have_nominal_coverage(log_odds: float, pairs: int) -> None:
    rng = np.random.default_rng([3, pairs, int(log_odds)])
    inside = []
    for _ in range(500):
        answers, groups, deviation = unstable(rng, log_odds, pairs)
        result = order_and_draw(answers, answers[:, ::-1], groups)
        inside.append(result.order_low <= deviation <= result.order_high)
        assert (result.draw_low, result.draw_high) == pytest.approx((result.order_low, result.order_high))
    assert 0.93 <= np.mean(inside) <= 0.985


def test_answers_that_never_change_have_the_resolution_of_their_pairs() -> None:
    """Wilson's limit for 0 disagreements in 5 pairs, 0.434, times 2/3, the most that 3 orders can disagree; halved."""
    values = np.ones((20, 3))
    result = order_and_draw(values, values, np.arange(20) % 5)
    assert (result.order, result.draw, result.order_low) == (0, 0, 0)
    assert result.order_high == result.draw_high == pytest.approx((0.4345 * 2 / 3 / 2) ** 0.5, abs=0.001)
    assert np.isnan(result.share)


def test_tables_that_are_too_small_are_rejected() -> None:
    with pytest.raises(UserError, match="two repetitions"):
        components([[1.0, 0.0]])
    with pytest.raises(UserError, match="one is missing"):
        seeds([[1.0, 0.0], [np.nan, 1.0]])
    with pytest.raises(UserError, match="between 0 and 1"):
        seeds([[1.0, 0.0], [2.0, 1.0]])
    orders, draws, pairs = supports(np.random.default_rng(4))
    with pytest.raises(UserError, match="two orders"):
        order_and_draw(orders[:, :1], draws, pairs)
    with pytest.raises(UserError, match="two clusters"):
        order_and_draw(orders, draws, np.zeros(200))
