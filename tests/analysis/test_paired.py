from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest

from lcl_lab.analysis import paired_difference
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
    result = paired_difference(frame, COLUMN, NO, ALL)
    a, b = (frame[(frame["model"] == "a") & (frame["false_ratio"] == r)][COLUMN].mean() for r in (0.0, 1.0))
    assert result.estimate == pytest.approx(b - a)
    assert result.low < result.estimate < result.high < -0.5
    assert (result.n, result.clusters) == (200, 40)
    assert result.gains - result.losses == round(200 * result.estimate)


def test_mcnemar_is_the_exact_test_on_the_changed_queries() -> None:
    result = paired_difference(records(), COLUMN, {"model": "b", "false_ratio": 0.0}, NO)
    assert result.p_independent == pytest.approx(binomtest(result.gains, result.gains + result.losses).pvalue)


@pytest.mark.slow
def test_interval_and_test_have_nominal_coverage_and_size() -> None:
    rng = np.random.default_rng(1)
    covered = rejected = 0
    for _ in range(300):
        frame = two(clustered(rng, 0.6, 0.01), clustered(rng, 0.6, 0.01))
        result = paired_difference(frame, "right", {"c": 0}, {"c": 1})
        covered += result.low <= 0 <= result.high
        rejected += result.p_independent <= 0.05
    assert 0.92 <= covered / 300 <= 0.98
    assert rejected / 300 <= 0.07


def test_two_conditions_that_agree_everywhere_still_have_an_interval() -> None:
    same = clustered(np.random.default_rng(0), 0.5)
    result = paired_difference(two(same, same), "right", {"c": 0}, {"c": 1})
    assert result.estimate == 0
    assert -0.1 < result.low < 0 < result.high < 0.1
    assert result.p_value == 1


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
        paired_difference(change(records()), COLUMN, NO, ALL)


def test_records_without_a_value_of_a_condition_column_are_on_neither_side() -> None:
    """Such as records of a design without positions in the same frame."""
    frame = pd.DataFrame(
        {
            "query_id": [0, 1, 0, 1, 0, 1],
            "pair": ["p", "q"] * 3,
            "position": pd.array([1, 1, 2, 2, None, None], dtype="Int64"),
            "correct": [0, 1, 1, 1, 0, 0],
        }
    )
    difference = paired_difference(frame, "correct", {"position": 1}, {"position": 2})
    assert (difference.n, difference.estimate) == (2, 0.5)


@pytest.mark.parametrize("on", [("query_id",), ("pair", "query_id")])
def test_the_order_of_records_does_not_matter(on: tuple[str, ...]) -> None:
    frame = records()
    shuffled = frame.sample(frac=1, random_state=0)
    assert paired_difference(shuffled, COLUMN, NO, ALL, on) == paired_difference(frame, COLUMN, NO, ALL, on)


def test_a_query_whose_cluster_differs_between_the_sides_is_reported() -> None:
    frame = two(np.zeros(len(PAIRS)), np.ones(len(PAIRS))).astype({"pair": str}).reset_index(drop=True)
    frame.loc[(frame["c"] == 1) & (frame["query_id"] == 3), "pair"] = "another"
    with pytest.raises(UserError, match="query_id 3 has a different 'pair'"):
        paired_difference(frame, "right", {"c": 0}, {"c": 1})
