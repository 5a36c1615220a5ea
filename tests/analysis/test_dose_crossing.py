from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from lcl_lab.analysis import HalfCrossing, half_crossing
from lcl_lab.errors import UserError

DOSES = np.array([0.0, 0.25, 0.5, 0.75, 1.0])
LOGISTIC = 1 / (1 + np.exp(6 * DOSES - 3))
CURVES = {  # accuracies, and the dose at which straight lines between them cross one half
    "logistic": (LOGISTIC, 0.5),
    "ends at .40": (np.array([0.95, 0.9, 0.8, 0.6, 0.4]), 0.875),
    "ends at .30": (np.array([0.95, 0.9, 0.75, 0.5, 0.3]), 0.75),
    "late": (np.array([0.95, 0.94, 0.92, 0.8, 0.1]), 0.8571),
}


def clustered(rng: np.random.Generator, curve: np.ndarray, clusters: int, each: int = 4) -> pd.DataFrame:
    """Outcomes of queries at every dose, correlated within pairs and across doses."""
    pair = rng.standard_normal((clusters, 1, 1)) * 0.3**0.5
    query = rng.standard_normal((clusters, each, 1)) * 0.35**0.5
    luck = pair + query + rng.standard_normal((clusters, each, len(DOSES))) * 0.35**0.5
    names, _, doses = np.indices(luck.shape)
    return pd.DataFrame(
        {"pair": names.ravel(), "dose": DOSES[doses.ravel()], "right": (stats.norm.cdf(luck) < curve).ravel()}
    )


def crossings(curve: np.ndarray, clusters: int, count: int, seed: int) -> list[HalfCrossing]:
    rng = np.random.default_rng(seed)
    return [half_crossing(clustered(rng, curve, clusters), "dose", "right", rng, draws=1000) for _ in range(count)]


def table(right: list[list[int]], each: int) -> pd.DataFrame:
    """Records with given numbers of right answers of each pair (row) at each dose (column), out of `each`."""
    rows = [
        (pair, dose, int(query < count))
        for pair, counts in enumerate(right)
        for dose, count in zip(DOSES, counts, strict=False)
        for query in range(each)
    ]
    return pd.DataFrame(rows, columns=["pair", "dose", "right"])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "clusters"),
    [("logistic", 20), ("ends at .40", 20), ("ends at .30", 50), ("late", 20)],
)
def test_the_interval_has_nominal_coverage_where_a_crossing_is_reported(name: str, clusters: int) -> None:
    curve, truth = CURVES[name]
    reported = [one for one in crossings(curve, clusters, 300, seed=1) if one.outcome == "crosses"]
    assert len(reported) > 30
    # Conservative near the ends of the doses, and where answers hardly vary.
    assert np.mean([one.low <= truth <= one.high for one in reported]) >= 0.93
    if name in ("logistic", "late"):
        assert np.mean([one.low <= truth <= one.high for one in reported]) <= 0.985


@pytest.mark.slow
@pytest.mark.parametrize(
    "curve",
    [np.full(5, 0.5), np.array([0.9, 0.8, 0.7, 0.6, 0.5]), np.array([0.5, 0.4, 0.3, 0.2, 0.1])],
    ids=["flat", "ends at one half", "starts at one half"],
)
def test_a_curve_that_does_not_cross_is_rarely_reported_to(curve: np.ndarray) -> None:
    assert np.mean([one.outcome == "crosses" for one in crossings(curve, 20, 200, seed=2)]) <= 0.06


def test_the_crossing_is_that_of_the_non_increasing_fit() -> None:
    # Means .9, .6, .8, .3, .1: the fit pools the second and third to .7 and crosses between .5 and .75.
    right = [[9, 6, 8, 3, 1]] * 10
    crossing = half_crossing(table(right, 10), "dose", "right", np.random.default_rng(0))
    assert crossing.dose == pytest.approx(0.5 + 0.25 * 0.2 / 0.4)
    assert (crossing.n, crossing.clusters) == (500, 10)


def test_a_plateau_at_one_half_is_represented_by_its_middle() -> None:
    crossing = half_crossing(table([[10, 5, 5, 5, 0]] * 10, 10), "dose", "right", np.random.default_rng(0))
    assert crossing.dose == pytest.approx(0.5)
    assert crossing.low < 0.5 < crossing.high or crossing.low == crossing.dose == crossing.high


def test_the_outcome_says_why_there_is_no_crossing() -> None:
    def outcome(right: list[int]) -> HalfCrossing:
        rng = np.random.default_rng(0)
        frame = table(
            [
                [count + int(change) for count, change in zip(right, rng.integers(-1, 2, 5), strict=True)]
                for _ in range(20)
            ],
            10,
        )
        return half_crossing(frame, "dose", "right", rng)

    assert outcome([9, 9, 8, 8, 7]).outcome == "ends above"
    assert outcome([3, 3, 2, 2, 1]).outcome == "starts below"
    assert outcome([9, 7, 5, 3, 1]).outcome == "crosses"
    assert np.isnan(outcome([9, 9, 8, 8, 7]).dose)


def test_an_end_close_to_one_half_is_uncertain() -> None:
    right = [[4, 4, 3, 3, 3]] * 10 + [[4, 3, 2, 1, 0]] * 10  # at the last dose, 3/4 or 0, on average 3/8
    crossing = half_crossing(table(right, 4), "dose", "right", np.random.default_rng(0))
    assert crossing.outcome == "uncertain"
    assert np.isnan([crossing.dose, crossing.low, crossing.high]).all()


def test_answers_that_all_change_at_once_still_have_an_interval() -> None:
    crossing = half_crossing(table([[4, 4, 4, 0, 0]] * 20, 4), "dose", "right", np.random.default_rng(0))
    assert crossing.dose == pytest.approx(0.625)
    assert 0.5 < crossing.low < 0.61
    assert 0.64 < crossing.high < 0.75


def test_data_without_a_curve_are_rejected() -> None:
    frame = clustered(np.random.default_rng(4), LOGISTIC, 20)
    rng = np.random.default_rng(0)
    with pytest.raises(UserError, match="needs 5 clusters and two doses; there are 4 and 5"):
        half_crossing(frame[frame["pair"] < 4], "dose", "right", rng)
    with pytest.raises(UserError, match="there are 20 and 1"):
        half_crossing(frame[frame["dose"] == 0], "dose", "right", rng)
    with pytest.raises(UserError, match="every pair needs records at every dose"):
        half_crossing(frame[(frame["pair"] > 0) | (frame["dose"] > 0)], "dose", "right", rng)
    with pytest.raises(UserError, match="did you mean 'dose'"):
        half_crossing(frame, "doses", "right", rng)
