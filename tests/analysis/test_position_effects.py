from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats

from lcl_lab.analysis import factorial_drops, position_drops, positions_differ
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


def factorial(rng: np.random.Generator, effects: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    shared, names = luck(rng, 50, 16)
    flips = rng.random((len(names), len(effects))) < 0.25
    return flips, stats.norm.cdf(shared) < chance(INTERCEPT + flips @ effects), names


DESIGNS = {"one": (one_at_a_time, position_drops), "factorial": (factorial, factorial_drops)}


@pytest.mark.parametrize("design", DESIGNS)
@pytest.mark.parametrize("effects", [UNEQUAL, pytest.param(EQUAL, marks=pytest.mark.slow)], ids=["unequal", "equal"])
def test_simultaneous_intervals_have_nominal_coverage(design: str, effects: np.ndarray) -> None:
    rng = np.random.default_rng(1)
    draw, estimate = DESIGNS[design]
    truth = chance(INTERCEPT) - chance(INTERCEPT + effects)
    inside = []
    for _ in range(160):
        drops = estimate(*draw(rng, effects), rng).drops
        inside.append(bool((drops["low"].le(truth) & drops["high"].ge(truth)).all()))
    assert 0.93 <= np.mean(inside) <= 0.98


@pytest.mark.parametrize("design", DESIGNS)
def test_the_joint_test_has_its_nominal_size(design: str) -> None:
    rng = np.random.default_rng(2)
    draw, estimate = DESIGNS[design]
    if design == "one":
        result = []
        for _ in range(600):
            intact, false, names = draw(rng, EQUAL)
            drops = intact[:, None].astype(float) - false
            result.append(positions_differ(drops, names, rng, draws=400) <= 0.05)
    else:
        result = [estimate(*draw(rng, EQUAL), rng).p_value <= 0.05 for _ in range(300)]
    assert np.mean(result) <= 0.06


@pytest.mark.parametrize("design", DESIGNS)
def test_different_positions_are_detected(design: str) -> None:
    rng = np.random.default_rng(3)
    draw, estimate = DESIGNS[design]
    result = [estimate(*draw(rng, UNEQUAL), rng) for _ in range(20)]
    assert np.mean([one.p_value < 0.05 for one in result]) > 0.7
    mean = np.mean([one.drops["drop"] for one in result], axis=0)
    assert mean == pytest.approx(chance(INTERCEPT) - chance(INTERCEPT + UNEQUAL), abs=0.025)


def test_the_factorial_design_needs_fewer_prompts_for_the_same_precision() -> None:
    rng = np.random.default_rng(4)
    shares = []
    for _ in range(40):
        one, several = (estimate(*draw(rng, UNEQUAL), rng) for draw, estimate in DESIGNS.values())
        shares.append(several.prompts * several.error**2 / (one.prompts * one.error**2))
    assert np.mean(shares) < 0.6


@pytest.mark.parametrize("design", DESIGNS)
def test_the_standard_error_is_the_spread_of_estimates(design: str) -> None:
    rng = np.random.default_rng(8)
    draw, estimate = DESIGNS[design]
    result = [estimate(*draw(rng, UNEQUAL), rng) for _ in range(80)]
    spread = np.stack([one.drops["drop"] for one in result]).var(axis=0, ddof=1).mean() ** 0.5
    assert np.mean([one.error**2 for one in result]) ** 0.5 == pytest.approx(spread, rel=0.15)


def test_without_clusters_the_effects_are_those_of_logistic_regression() -> None:
    flips, right, _ = factorial(np.random.default_rng(5), UNEQUAL)
    fit = sm.Logit(right.astype(float), sm.add_constant(flips.astype(float))).fit(disp=0)
    expected = chance(fit.params[0]) - chance(fit.params[0] + fit.params[1:])
    ours = factorial_drops(flips, right, np.arange(len(right)), np.random.default_rng(0))
    assert ours.drops["drop"].to_numpy() == pytest.approx(expected, abs=1e-6)
    assert ours.intact == pytest.approx(chance(fit.params[0]), abs=1e-6)


def test_a_position_where_nothing_changes_still_has_an_interval() -> None:
    intact, false, names = one_at_a_time(np.random.default_rng(6), UNEQUAL)
    false[:, 0] = intact
    first = position_drops(intact, false, names, np.random.default_rng(0)).drops.iloc[0]
    assert first["low"] < first["drop"] == 0 < first["high"]


def test_too_little_data_is_rejected() -> None:
    flips, right, names = factorial(np.random.default_rng(7), UNEQUAL)
    with pytest.raises(UserError, match="8 effects need at least 24 right"):
        factorial_drops(flips, np.ones_like(right), names, np.random.default_rng(0))
    with pytest.raises(UserError, match="10 clusters"):
        factorial_drops(flips, right, names % 8, np.random.default_rng(0))
    with pytest.raises(UserError, match="two positions"):
        position_drops(right, right[:, None], names, np.random.default_rng(0))
