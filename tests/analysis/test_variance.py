from __future__ import annotations

import numpy as np
import pytest

from lcl_lab.analysis import components, order_and_draw, seeds
from lcl_lab.errors import UserError

ORDER, DRAW = 0.3, 0.5


def supports(rng: np.random.Generator, order: float = ORDER, draw: float = DRAW) -> tuple[np.ndarray, ...]:
    """50 pairs, 4 queries each, easy or hard; 5 orders of one support, and 5 supports, each in a different order."""
    pairs = np.repeat(np.arange(50), 4)
    size = (200, 5)
    hard = rng.normal(0, 1, 50)[pairs][:, None] + rng.normal(0, 1, (200, 1))
    scale = rng.gamma(4, 1 / 4, 50)[pairs][:, None] ** 0.5  # some pairs mind more than others
    orders = hard + scale * rng.normal(0, order, size)
    return orders, hard + scale * (rng.normal(0, order, size) + rng.normal(0, draw, size)), pairs


def test_components_are_those_of_the_textbook() -> None:
    """Two by two, by hand: rows differ by 2, columns by 1, with no residual."""
    result = components([[0.0, 1.0], [2.0, 3.0]])
    assert (result.repetition, result.query, result.rest) == pytest.approx((2.0, 0.5, 0.0))


def test_seeds_that_differ_by_chance_have_no_variance_between_them() -> None:
    rng = np.random.default_rng(0)
    result = [seeds(rng.normal(0.6, 0.3, (5, 60))).between_seeds ** 2 for _ in range(400)]
    assert np.mean(result) < 0.1 * 0.3**2 / 5
    table = rng.normal(0.6, 0.1, (5, 1)) + rng.normal(0, 0.3, (5, 400))
    assert 0.04 < seeds(table).between_seeds < 0.2
    assert seeds(table).between_queries == pytest.approx(0.3, abs=0.03)


@pytest.mark.parametrize("spread", [0.02, 0.05])
def test_the_interval_over_seeds_has_nominal_coverage(spread: float) -> None:
    rng = np.random.default_rng(1)
    inside = []
    for _ in range(1500):
        table = 0.6 + rng.normal(0, spread, (5, 1)) + rng.normal(0, 0.2, 50) + rng.normal(0, 0.3, (5, 50))
        result = seeds(table)
        inside.append(result.low <= 0.6 <= result.high)
    assert 0.93 <= np.mean(inside) <= 0.97


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


def test_constant_outcomes_have_no_share() -> None:
    values = np.ones((20, 3))
    result = order_and_draw(values, values, np.arange(20) % 5)
    assert (result.order, result.draw) == (0, 0)
    assert np.isnan(result.share)


def test_tables_that_are_too_small_are_rejected() -> None:
    with pytest.raises(UserError, match="two repetitions"):
        components([[1.0, 0.0]])
    orders, draws, pairs = supports(np.random.default_rng(4))
    with pytest.raises(UserError, match="two orders"):
        order_and_draw(orders[:, :1], draws, pairs)
    with pytest.raises(UserError, match="two clusters"):
        order_and_draw(orders, draws, np.zeros(200))
