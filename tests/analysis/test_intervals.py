from __future__ import annotations

import numpy as np
import pytest

from lcl_lab.analysis import cluster_bootstrap, effective_size, wilson
from lcl_lab.analysis.intervals import _Cells, _resampled_means

from .simulated import CLUSTERS, PAIRS, SIZE, clustered


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [(8, 10, 0.4902, 0.9433), (0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0), (81, 263, 0.2553, 0.3662)],
)
def test_wilson_gives_published_values(successes: int, n: int, low: float, high: float) -> None:
    # 81 of 263 is the example of Newcombe (1998), method 3.
    assert wilson(successes, n) == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize(("successes", "n"), [(1, 0), (-1, 5), (6, 5)])
def test_counts_that_are_not_a_proportion_are_rejected(successes: int, n: int) -> None:
    with pytest.raises(ValueError, match="not a proportion"):
        wilson(successes, n)


@pytest.mark.parametrize("mean", [0.2, 0.5, 0.8])
def test_the_cluster_bootstrap_has_nominal_coverage(mean: float) -> None:
    rng = np.random.default_rng(int(10 * mean))
    covered = 0
    for _ in range(1200):
        low, high = cluster_bootstrap(clustered(rng, mean), PAIRS, rng, draws=600)
        covered += low <= mean <= high
    assert 0.93 <= covered / 1200 <= 0.97


def test_wilson_has_nominal_coverage_for_independent_queries() -> None:
    rng = np.random.default_rng(0)
    intervals = [wilson(int(k), 200) for k in rng.binomial(200, 0.8, size=4000)]
    assert 0.93 <= np.mean([low <= 0.8 <= high for low, high in intervals]) <= 0.97


def test_correlated_queries_of_a_pair_widen_the_interval() -> None:
    values = np.repeat(np.arange(CLUSTERS) % 2, SIZE).astype(float)
    low, high = cluster_bootstrap(values, PAIRS, np.random.default_rng(0))
    independent = wilson(values.sum(), len(values))
    assert high - low > 1.8 * (independent[1] - independent[0])
    assert effective_size(values, PAIRS) == pytest.approx(CLUSTERS)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_a_perfect_score_still_has_an_interval(value: float) -> None:
    low, high = cluster_bootstrap(np.full(len(PAIRS), value), PAIRS, np.random.default_rng(0))
    assert (low, high) == wilson(value * CLUSTERS, CLUSTERS)
    assert high - low > 0.05


def test_the_interval_depends_on_the_generator_only() -> None:
    values = clustered(np.random.default_rng(0), 0.5)
    result = [
        cluster_bootstrap(values, PAIRS, np.random.default_rng(seed), draws=100) for seed in (1, 1, *range(2, 12))
    ]
    assert result[0] == result[1]
    assert len(set(result)) > 1


@pytest.mark.parametrize("clusters", [30, 40_000])
def test_clusters_are_resampled_with_their_sizes_however_many_there_are(clusters: int) -> None:
    rng = np.random.default_rng(0)
    names = np.repeat(np.arange(clusters), rng.integers(1, 4, clusters))
    values = rng.normal(size=len(names))
    drawn = rng.integers(clusters, size=(5, clusters), dtype=np.int32)
    sums, counts = np.bincount(names, values), np.bincount(names)
    expected = [sums[draw].sum() / counts[draw].sum() for draw in drawn]
    np.testing.assert_allclose(_resampled_means(_Cells.of(values, names), drawn), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("values", "clusters", "message"),
    [
        ([], [], "one-dimensional, of equal length"),
        ([1, 0], [1], "one-dimensional, of equal length"),
        ([1, np.nan], [1, 2], "missing or not finite"),
        ([1.0, 0.0], ["a", None], "no cluster"),
        ([1.5, 0.2], [1, 1], "single cluster"),
    ],
)
def test_values_without_an_interval_are_rejected(values: list, clusters: list, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        cluster_bootstrap(values, clusters, np.random.default_rng(0))
