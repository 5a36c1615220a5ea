"""Confidence sequences: bets are fair, miscoverage at any time is bounded, and further clusters never widen."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lcl_lab.analysis import confidence_sequence


def excludes_at_some_time(values: np.ndarray, mean: float, bounds: tuple[float, float] = (0.0, 1.0)) -> bool:
    clusters = np.arange(len(values))
    sequence = confidence_sequence(values, clusters, clusters, bounds)
    return bool((sequence.lows > mean).any() or (sequence.highs < mean).any())


@pytest.mark.slow
def test_the_true_mean_is_ever_excluded_with_at_most_the_nominal_probability() -> None:
    """The probability over all outcomes of 11 coin flips, computed exactly by enumerating them."""
    flips = np.array(list(product([0.0, 1.0], repeat=11)))
    heads = flips.sum(axis=1)
    order = np.arange(11)
    sequences = [confidence_sequence(outcome, order, order) for outcome in flips]
    decided = False
    for mean in (0.1, 0.25, 0.5, 0.8):
        ever = np.array([(one.lows > mean).any() or (one.highs < mean).any() for one in sequences], dtype=float)
        assert float((mean**heads * (1 - mean) ** (11 - heads)) @ ever) <= 0.05
        decided |= bool(ever.any())
    assert decided  # else the bound would hold for any sequence


@pytest.mark.parametrize("kind", ["coin", "beta", "differences"])
def test_looking_after_every_cluster_does_not_inflate_the_error(kind: str) -> None:
    rng = np.random.default_rng(0)
    draws = {
        "coin": (lambda: (rng.random(100) < 0.7).astype(float), 0.7, (0.0, 1.0)),
        "beta": (lambda: rng.beta(2, 6, 100), 0.25, (0.0, 1.0)),
        "differences": (lambda: rng.choice([-1.0, 0.0, 1.0], 100, p=[0.2, 0.6, 0.2]), 0.0, (-1.0, 1.0)),
    }
    draw, mean, bounds = draws[kind]
    excluded = [excludes_at_some_time(draw(), mean, bounds) for _ in range(200)]
    assert sum(excluded) <= 200 * 0.05 + 3 * np.sqrt(200 * 0.05 * 0.95)


def test_a_fixed_interval_would_have_inflated_it() -> None:
    """The reason for the method: of 400 sequences, a normal interval excludes the mean at some time for many."""
    rng = np.random.default_rng(0)
    ever = 0
    for _ in range(400):
        x = rng.random(200) < 0.5
        times = np.arange(1, 201)
        means = np.cumsum(x) / times
        ever += bool((np.abs(means - 0.5) > 1.96 * 0.5 / np.sqrt(times))[20:].any())
    assert ever > 400 * 0.15


@given(st.lists(st.sampled_from([0.0, 0.25, 0.5, 1.0]), min_size=1, max_size=40))
def test_the_interval_contains_the_estimate_or_its_past_and_never_grows(values: list[float]) -> None:
    clusters = np.arange(len(values))
    sequence = confidence_sequence(values, clusters, clusters)
    assert (np.diff(sequence.lows) >= 0).all() and (np.diff(sequence.highs) <= 0).all()
    assert 0 <= sequence.low < sequence.high <= 1
    shorter = confidence_sequence(
        values[:-1] or values, clusters[:-1] if len(values) > 1 else clusters, clusters[: max(1, len(values) - 1)]
    )
    assert sequence.lows[: len(shorter.lows)].tolist() == shorter.lows.tolist()


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=30))
def test_exchanging_the_sides_mirrors_the_interval(values: list[float]) -> None:
    clusters = np.arange(len(values))
    one = confidence_sequence(values, clusters, clusters, (-1, 1))
    other = confidence_sequence([-value for value in values], clusters, clusters, (-1, 1))
    assert (one.low, one.high) == pytest.approx((-other.high, -other.low), abs=1e-3)


def test_values_of_a_cluster_are_one_observation() -> None:
    once = confidence_sequence([1, 0, 1, 1], ["a", "b", "c", "d"], [0, 1, 2, 3])
    twice = confidence_sequence([1, 0, 1, 1] * 2, ["a", "b", "c", "d"] * 2, range(8))
    assert (once.low, once.high, once.clusters) == (twice.low, twice.high, twice.clusters)
    assert (once.n, twice.n) == (4, 8)


def test_clusters_enter_in_the_order_in_which_they_were_asked() -> None:
    shuffled = confidence_sequence([0, 1, 1], ["b", "a", "c"], [9, 2, 5])
    sorted_ = confidence_sequence([1, 1, 0], ["a", "c", "b"], [2, 5, 9])
    assert shuffled.lows.tolist() == sorted_.lows.tolist()


def test_it_decides_with_enough_clusters() -> None:
    rng = np.random.default_rng(1)
    clusters = np.arange(300)
    sequence = confidence_sequence((rng.random(300) < 0.9).astype(float), clusters, clusters)
    assert 0.8 < sequence.low < 0.9 < sequence.high < 0.98


def test_values_outside_the_bounds_are_refused() -> None:
    with pytest.raises(ValueError, match="within 0 and 1"):
        confidence_sequence([2.0], ["a"], [0])
