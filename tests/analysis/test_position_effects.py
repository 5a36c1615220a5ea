from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from lcl_lab.analysis import factorial_effects, position_drops, positions_differ
from lcl_lab.errors import UserError

INTERCEPT = 2.5
UNEQUAL = np.array([-0.5, -0.5, -1.0, -1.0, 0.0, 0.0, -0.3, -0.3])
EQUAL = np.full(8, -0.5)


def chance(log_odds: np.ndarray | float) -> np.ndarray:
    return 1 / (1 + np.exp(-np.asarray(log_odds)))


def luck(rng: np.random.Generator, clusters: int, each: int) -> tuple[np.ndarray, np.ndarray]:
    """A normal variable per query, correlated within clusters."""
    names = np.repeat(np.arange(clusters), each)
    independent = rng.standard_normal(len(names))
    return rng.standard_normal(clusters)[names] * 0.3**0.5 + independent * 0.7**0.5, names


def one_at_a_time(rng: np.random.Generator, effects: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """100 pairs of 2 queries, whose outcomes are correlated across conditions."""
    shared, names = luck(rng, 100, 2)

    def answer(log_odds: float) -> np.ndarray:
        again = rng.standard_normal(len(names))
        return stats.norm.cdf(shared * 0.8**0.5 + again * 0.2**0.5) < chance(log_odds)

    return answer(INTERCEPT), np.stack([answer(INTERCEPT + effect) for effect in effects], axis=1), names


def additive(flips: np.ndarray) -> np.ndarray:
    return chance(INTERCEPT + flips @ UNEQUAL)


def equal(flips: np.ndarray) -> np.ndarray:
    return chance(INTERCEPT + flips @ EQUAL)


def majority(flips: np.ndarray) -> np.ndarray:
    """Follows the majority of the labels in 95 of 100 prompts; every position counts the same, alone none does."""
    false = flips.sum(axis=1) * 2
    return np.where(false < flips.shape[1], 0.95, np.where(false == flips.shape[1], 0.5, 0.05))


Reader = Callable[[np.ndarray], np.ndarray]


def factorial(
    rng: np.random.Generator, reader: Reader, share: float = 0.25, clusters: int = 50
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    shared, names = luck(rng, clusters, 16)
    flips = rng.random((len(names), 8)) < share
    return flips, stats.norm.cdf(shared) < reader(flips), names


def average_effects(reader: Reader, share: float) -> np.ndarray:
    """The true effects in the design: over all 2⁸ prompts, weighted by their probability."""
    flips = np.array(list(itertools.product([0, 1], repeat=8)))
    weight = np.where(flips, share, 1 - share).prod(axis=1)
    accuracy = reader(flips)

    def mean(where: np.ndarray) -> float:
        return float(np.average(accuracy[where], weights=weight[where]))

    return np.array([mean(flips[:, k] == 0) - mean(flips[:, k] == 1) for k in range(8)])


def single_effects(reader: Reader) -> np.ndarray:
    return reader(np.zeros((1, 8), int)) - reader(np.eye(8, dtype=int))


def holds(drops: pd.DataFrame, truth: np.ndarray) -> bool:
    return bool((drops["low"].le(truth + 1e-9) & drops["high"].ge(truth - 1e-9)).all())


@pytest.mark.slow
def test_one_at_a_time_intervals_have_simultaneous_coverage() -> None:
    rng = np.random.default_rng(1)
    truth = chance(INTERCEPT) - chance(INTERCEPT + UNEQUAL)
    inside = [holds(position_drops(*one_at_a_time(rng, UNEQUAL), rng).drops, truth) for _ in range(160)]
    assert 0.93 <= np.mean(inside) <= 0.98


@pytest.mark.slow
@pytest.mark.parametrize(("reader", "share"), [(majority, 0.25), (additive, 0.125)])
def test_factorial_intervals_have_simultaneous_coverage(reader: Reader, share: float) -> None:
    rng = np.random.default_rng(3)
    truth = average_effects(reader, share)
    inside = [holds(factorial_effects(*factorial(rng, reader, share), rng).drops, truth) for _ in range(200)]
    assert 0.93 <= np.mean(inside) <= 0.985


@pytest.mark.slow
def test_the_joint_test_one_at_a_time_has_its_nominal_size() -> None:
    rng = np.random.default_rng(2)
    result = []
    for _ in range(600):
        intact, false, names = one_at_a_time(rng, EQUAL)
        drops = intact[:, None].astype(float) - false
        result.append(positions_differ(drops, names, rng, draws=400) <= 0.05)
    assert np.mean(result) <= 0.06


@pytest.mark.slow
@pytest.mark.parametrize("reader", [equal, majority])
def test_the_joint_test_of_the_factorial_design_has_its_nominal_size(reader: Reader) -> None:
    rng = np.random.default_rng(2)
    result = [factorial_effects(*factorial(rng, reader, clusters=20), rng).p_value <= 0.05 for _ in range(400)]
    assert np.mean(result) <= 0.06


@pytest.mark.slow
def test_different_positions_are_detected() -> None:
    rng = np.random.default_rng(3)
    one = [position_drops(*one_at_a_time(rng, UNEQUAL), rng) for _ in range(10)]
    several = [factorial_effects(*factorial(rng, additive), rng) for _ in range(20)]
    for result, truth in ((one, single_effects(additive)), (several, average_effects(additive, 0.25))):
        assert np.mean([each.p_value < 0.05 for each in result]) > 0.7
        assert np.mean([each.drops["drop"] for each in result], axis=0) == pytest.approx(truth, abs=0.03)


@pytest.mark.slow
@pytest.mark.parametrize("design", ["one", "factorial"])
def test_the_standard_error_is_the_spread_of_estimates(design: str) -> None:
    rng = np.random.default_rng(8)
    if design == "one":
        result = [position_drops(*one_at_a_time(rng, UNEQUAL), rng) for _ in range(80)]
    else:
        result = [factorial_effects(*factorial(rng, majority), rng) for _ in range(80)]
    spread = np.stack([one.drops["drop"] for one in result]).var(axis=0, ddof=1).mean() ** 0.5
    assert np.mean([one.error**2 for one in result]) ** 0.5 == pytest.approx(spread, rel=0.15)


def test_the_factorial_effect_is_a_difference_of_means() -> None:
    flips, right, names = factorial(np.random.default_rng(5), majority)
    found = factorial_effects(flips, right, names, np.random.default_rng(0))
    expected = [right[~flips[:, k]].mean() - right[flips[:, k]].mean() for k in range(8)]
    assert found.drops["drop"].to_numpy() == pytest.approx(expected)
    assert found.accuracy == pytest.approx(right.mean())


def test_a_position_where_nothing_changes_still_has_an_interval() -> None:
    intact, false, names = one_at_a_time(np.random.default_rng(6), UNEQUAL)
    false[:, 0] = intact
    first = position_drops(intact, false, names, np.random.default_rng(0)).drops.iloc[0]
    assert first["low"] < first["drop"] == 0 < first["high"]


def test_a_model_that_is_always_right_has_intervals_around_0() -> None:
    flips, right, names = factorial(np.random.default_rng(6), majority)
    found = factorial_effects(flips, np.ones_like(right), names, np.random.default_rng(0))
    assert (found.drops["low"] < 0).all()
    assert (found.drops["high"] > 0).all()
    assert found.p_value == 1


def test_too_little_data_is_rejected() -> None:
    flips, right, names = factorial(np.random.default_rng(7), additive)
    rng = np.random.default_rng(0)
    with pytest.raises(UserError, match="two positions"):
        position_drops(right, right[:, None], names, rng)
    with pytest.raises(UserError, match="two positions and two clusters"):
        factorial_effects(flips, right, np.zeros(len(right)), rng)
    flips[:, 2] = False
    with pytest.raises(UserError, match="the label at position 3 is the same in every prompt"):
        factorial_effects(flips, right, names, rng)
