from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest, chi2

from lcl_lab.analysis import cluster_mcnemar, paired_difference
from lcl_lab.errors import UserError

from .simulated import PAIRS, clustered, records

NO, ALL = {"model": "a", "false_ratio": 0.0}, {"model": "a", "false_ratio": 1.0}
COLUMN = "correct_candidate"


def two(before: np.ndarray, after: np.ndarray) -> pd.DataFrame:
    frames = [
        pd.DataFrame({"c": side, "right": values, "query_id": np.arange(len(PAIRS)), "pair": PAIRS})
        for side, values in enumerate((before, after))
    ]
    return pd.concat(frames)


def test_the_difference_is_that_of_the_accuracies() -> None:
    frame = records()
    result = paired_difference(frame, COLUMN, NO, ALL, np.random.default_rng(0))
    a, b = (frame[(frame["model"] == "a") & (frame["false_ratio"] == r)][COLUMN].mean() for r in (0.0, 1.0))
    assert result.estimate == pytest.approx(b - a)
    assert result.low < result.estimate < result.high < -0.5
    assert (result.n, result.clusters) == (200, 40)
    assert result.gains - result.losses == round(200 * result.estimate)


def test_mcnemar_is_the_exact_test_on_the_changed_queries() -> None:
    result = paired_difference(records(), COLUMN, {"model": "b", "false_ratio": 0.0}, NO, np.random.default_rng(0))
    assert result.p_independent == pytest.approx(binomtest(result.gains, result.gains + result.losses).pvalue)


def test_interval_and_test_have_nominal_coverage_and_size() -> None:
    rng = np.random.default_rng(1)
    covered = rejected = 0
    for _ in range(600):
        frame = two(clustered(rng, 0.6, 0.01), clustered(rng, 0.6, 0.01))
        result = paired_difference(frame, "right", {"c": 0}, {"c": 1}, rng)
        covered += result.low <= 0 <= result.high
        rejected += result.p_independent <= 0.05
    assert 0.93 <= covered / 600 <= 0.97
    assert rejected / 600 <= 0.06


def test_two_conditions_that_agree_everywhere_still_have_an_interval() -> None:
    same = clustered(np.random.default_rng(0), 0.5)
    result = paired_difference(two(same, same), "right", {"c": 0}, {"c": 1}, np.random.default_rng(0))
    assert result.estimate == 0
    assert -0.1 < result.low < 0 < result.high < 0.1
    assert result.p_value == 1


def changes(rng: np.random.Generator, clusters: int) -> tuple[np.ndarray, np.ndarray]:
    """Differences with mean 0 that mostly have the same sign within a cluster."""
    tilt = rng.normal(0, 0.3, clusters).clip(-0.5, 0.5)[:, None]
    draws = rng.random((clusters, 6))
    return ((draws < 0.25 + tilt / 2).astype(int) - (draws > 0.75 + tilt / 2)).ravel(), np.repeat(
        np.arange(clusters), 6
    )


@pytest.mark.parametrize("clusters", [8, 40])
def test_cluster_mcnemar_keeps_its_size_where_the_independent_test_does_not(clusters: int) -> None:
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


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.drop(columns="pair"), "no column 'pair'"),
        (lambda f: f[f["false_ratio"] == 0.0], "no record has"),
        (lambda f: f.drop(index=f.index[0]), "1 queries have only one of"),
        (lambda f: pd.concat([f, f]), "has 2 records"),
    ],
)
def test_records_that_do_not_pair_are_reported(change, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(UserError, match=message):
        paired_difference(change(records()), COLUMN, NO, ALL, np.random.default_rng(0))
