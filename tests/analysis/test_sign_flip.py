"""The sign-flip test and its interval: size and coverage by simulation, and properties that hold for any data."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest, chi2

from lcl_lab.analysis import cluster_mcnemar, difference_interval, sign_flip_interval
from lcl_lab.analysis.sign_flip import mcnemar_of_sums

OUTCOMES = st.lists(
    st.lists(st.sampled_from([-1, 0, 0, 1]), min_size=1, max_size=6), min_size=2, max_size=16
)  # differences by cluster
SCORES = st.lists(st.lists(st.sampled_from([-1.0, -0.3, 0.0, 0.6]), min_size=1, max_size=4), min_size=2, max_size=14)


def flat(groups: list[list[float]]) -> tuple[np.ndarray, np.ndarray]:
    return np.concatenate(groups).astype(float), np.repeat(np.arange(len(groups)), list(map(len, groups)))


def changes(rng: np.random.Generator, clusters: int) -> tuple[np.ndarray, np.ndarray]:
    """Differences with mean 0 that mostly have the same sign within a cluster."""
    tilt = rng.normal(0, 0.3, clusters).clip(-0.5, 0.5)[:, None]
    draws = rng.random((clusters, 6))
    return ((draws < 0.25 + tilt / 2).astype(int) - (draws > 0.75 + tilt / 2)).ravel(), np.repeat(
        np.arange(clusters), 6
    )


@pytest.mark.parametrize("clusters", [8, 40])
def test_it_keeps_its_size_where_the_independent_test_does_not(clusters: int) -> None:
    rng = np.random.default_rng(3)
    robust, usual = [], []
    for _ in range(1500):
        difference, names = changes(rng, clusters)
        robust.append(cluster_mcnemar(difference, names) <= 0.05)
        usual.append(cluster_mcnemar(difference, np.arange(len(names))) <= 0.05)
    assert np.mean(robust) <= 0.06
    assert np.mean(usual) > 0.08


def test_with_every_query_its_own_cluster_it_is_mcnemars_exact_test() -> None:
    for gains, losses in ((0, 0), (5, 0), (12, 4), (30, 31), (150, 190)):
        difference = np.repeat([1, -1, 0], [gains, losses, 20])
        expected = binomtest(gains, gains + losses).pvalue if gains + losses else 1.0
        assert cluster_mcnemar(difference, np.arange(len(difference))) == pytest.approx(expected, abs=4e-3)


def test_it_approaches_durkalskis_chi_square_with_many_clusters() -> None:
    rng = np.random.default_rng(4)
    difference, names = changes(rng, 150)
    sums = np.bincount(names, difference)
    expected = chi2.sf((abs(sums.sum()) - 1) ** 2 / (sums**2).sum(), 1)  # with the correction for continuity
    assert cluster_mcnemar(difference, names) == pytest.approx(expected, abs=0.005)


def test_the_interval_holds_the_means_that_a_test_by_enumeration_does_not_reject() -> None:
    rng = np.random.default_rng(5)
    for _ in range(20):
        values, names = changes(rng, 9)
        low, high = sign_flip_interval(values, names)
        for mean in np.linspace(-0.9, 0.9, 37) + 0.003:
            deviations = np.bincount(names, values - mean)
            sums = np.array(list(product((-1, 1), repeat=9))) @ deviations
            rejected = min((sums >= deviations.sum()).mean(), (sums <= deviations.sum()).mean()) <= 0.025
            if min(abs(mean - low), abs(mean - high)) > 1e-4:
                assert rejected == (not low <= mean <= high)


GRID = [
    (clusters, gains, losses, correlation)
    for clusters in (10, 20, 50)
    for gains, losses in ((0.1, 0.1), (0.3, 0.1), (0.02, 0.1), (0.0, 0.15), (0.01, 0.01))
    for correlation in (0.02, 0.3)
][::3]


@pytest.mark.slow
@pytest.mark.parametrize(("clusters", "gains", "losses", "correlation"), GRID)
def test_intervals_cover_and_agree_with_the_test(
    clusters: int, gains: float, losses: float, correlation: float
) -> None:
    rng = np.random.default_rng([clusters, round(1000 * gains), round(1000 * losses), round(100 * correlation)])
    covered, strength = [], 1 / correlation - 1
    for _ in range(500):
        sizes = rng.integers(4, 13, clusters)
        chances = rng.dirichlet([max(p, 1e-9) * strength for p in (gains, 1 - gains - losses, losses)], clusters)
        counts = [rng.multinomial(size, chance) for size, chance in zip(sizes, chances, strict=True)]
        values = np.concatenate([np.repeat([1, 0, -1], count) for count in counts])
        names = np.repeat(np.arange(clusters), sizes)
        low, high = difference_interval(values, names)
        covered.append(low <= gains - losses <= high)
        assert (cluster_mcnemar(values, names) <= 0.05) == (not low <= 0 <= high)
    assert np.mean(covered) >= 0.93 - 2 * (0.93 * 0.07 / 500) ** 0.5


@settings(max_examples=150, deadline=None, derandomize=True)
@given(groups=st.one_of(OUTCOMES, SCORES))
def test_interval_and_test_never_contradict_each_other(groups: list[list[float]]) -> None:
    values, names = flat(groups)
    low, high = difference_interval(values, names)
    assert low <= high
    assert (low <= 0 <= high) == (cluster_mcnemar(values, names) > 0.05)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(groups=st.one_of(OUTCOMES, SCORES))
def test_swapping_the_sides_changes_signs_only(groups: list[list[float]]) -> None:
    values, names = flat(groups)
    low, high = difference_interval(values, names)
    assert difference_interval(-values, names) == pytest.approx((-high, -low))
    assert cluster_mcnemar(-values, names) == pytest.approx(cluster_mcnemar(values, names))


@settings(max_examples=150, deadline=None, derandomize=True)
@given(groups=OUTCOMES, data=st.data())
def test_a_loss_never_improves_the_verdict(groups: list[list[float]], data: st.DataObject) -> None:
    values, names = flat(groups)
    place = data.draw(st.integers(0, len(values) - 1))
    worse = values.copy()
    worse[place] = max(-1, values[place] - 1)
    before, after = sign_flip_interval(values, names), sign_flip_interval(worse, names)
    assert after[0] <= before[0] + 1e-3  # the resolution of the table of signs
    assert after[1] <= before[1] + 1e-3  # the resolution of the table of signs
    assert _verdict(worse, names) <= _verdict(values, names)


def _verdict(values: np.ndarray, names: np.ndarray) -> int:
    """1 better, 0 inconclusive, −1 worse."""
    low, high = difference_interval(values, names)
    return int(low > 0) - int(high < 0)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(groups=OUTCOMES)
def test_twice_the_clusters_never_widen_the_interval(groups: list[list[float]]) -> None:
    (low, high), (low_2, high_2) = (sign_flip_interval(*flat(repeated)) for repeated in (groups, [*groups, *groups]))
    assert high_2 - low_2 <= high - low + 0.01


@pytest.mark.parametrize("pattern", [[1, -1], [-1, 0], [1, 1, 0, -1]])
def test_clusters_that_are_all_alike_still_have_an_interval(pattern: list[int]) -> None:
    low, high = difference_interval(np.tile(pattern, 20), np.repeat(np.arange(20), len(pattern)))
    assert low + 0.05 < np.mean(pattern) < high - 0.05


def test_scores_are_numbers() -> None:
    """A constant change of a fractional score has an interval of the width that its clusters support."""
    low, high = difference_interval(np.full(40, -0.3), np.repeat(np.arange(10), 4))
    assert low < -0.4
    assert -0.3 < high < 0
    rng = np.random.default_rng(0)
    values = rng.normal(-0.1, 0.2, 200).clip(-1, 1)
    low, high = difference_interval(values, np.arange(200) // 4)
    error = np.bincount(np.arange(200) // 4, values).std(ddof=1) / 4 / 50**0.5
    assert (low, high) == pytest.approx((values.mean() - 2 * error, values.mean() + 2 * error), abs=0.01)


@given(st.integers(1, 30).flatmap(lambda size: st.lists(st.lists(st.integers(-8, 8), min_size=size, max_size=size),
                                                        min_size=1, max_size=5)))  # fmt: skip
@settings(deadline=None)
def test_many_studies_at_once_have_the_p_values_of_each(sums: list[list[int]]) -> None:
    each = [cluster_mcnemar(study, np.arange(len(study))) for study in sums]
    assert mcnemar_of_sums(sums) == pytest.approx(each, abs=1e-12)


def test_many_studies_at_once_use_the_normal_approximation_for_the_same_sizes() -> None:
    rng = np.random.default_rng(0)
    sums = rng.integers(-3, 4, (20, 260)) * (rng.random((20, 260)) < np.linspace(0.5, 1, 20)[:, None])
    changed = (sums != 0).sum(axis=1)
    assert changed.min() < 200 < changed.max()
    each = [cluster_mcnemar(study, np.arange(260)) for study in sums]
    assert mcnemar_of_sums(sums) == pytest.approx(each, abs=1e-12)
