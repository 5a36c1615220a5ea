from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats

from lcl_lab.analysis import dose_response
from lcl_lab.errors import UserError

DOSES = (0.0, 0.25, 0.5, 0.75, 1.0)


def clustered(
    rng: np.random.Generator, intercept: float, slope: float, share: float, clusters: int = 50, each: int = 4
) -> pd.DataFrame:
    """Outcomes of queries at every dose, on a logistic curve, correlated within pairs."""
    pair = np.repeat(np.arange(clusters), each * len(DOSES))
    dose = np.tile(DOSES, clusters * each)
    chance = 1 / (1 + np.exp(-(intercept + slope * dose)))
    independent = rng.standard_normal(len(pair)) * np.sqrt(1 - share)
    luck = rng.standard_normal(clusters)[pair] * np.sqrt(share) + independent
    return pd.DataFrame({"pair": pair, "dose": dose, "right": stats.norm.cdf(luck) < chance})


def test_without_clusters_it_is_the_usual_logistic_curve() -> None:
    frame = clustered(np.random.default_rng(0), 3, -6, 0.0, clusters=400, each=1)
    frame["pair"] = np.arange(len(frame))
    ours = dose_response(frame, "dose", "right")
    theirs = sm.Logit(frame["right"].astype(float), sm.add_constant(frame["dose"])).fit(disp=0)
    assert (ours.intercept, ours.slope) == pytest.approx(tuple(theirs.params), rel=1e-4)
    low, high = theirs.conf_int().loc["dose"]
    assert (ours.slope_low, ours.slope_high) == pytest.approx((low, high), rel=0.05)


@pytest.mark.parametrize("share", [0.3, pytest.param(0.0, marks=pytest.mark.slow)])
def test_the_interval_of_the_slope_has_nominal_coverage(share: float) -> None:
    rng = np.random.default_rng(1)
    result = [dose_response(clustered(rng, 3, -6, share), "dose", "right") for _ in range(700)]
    slopes = np.mean([one.slope_low < -6 < one.slope_high for one in result])
    assert 0.93 <= slopes <= 0.97


@pytest.mark.slow
def test_the_test_of_the_slope_has_its_nominal_size() -> None:
    rng = np.random.default_rng(2)
    result = [dose_response(clustered(rng, 0.5, 0, 0.3), "dose", "right") for _ in range(700)]
    assert 0.03 <= np.mean([one.p_value < 0.05 for one in result]) <= 0.06


def test_data_without_a_curve_are_rejected() -> None:
    frame = clustered(np.random.default_rng(4), 3, -6, 0.0)
    with pytest.raises(UserError, match="two doses"):
        dose_response(frame[frame["dose"] == 0], "dose", "right")
    with pytest.raises(UserError, match="two doses with both right and wrong answers"):
        dose_response(frame.assign(right=True), "dose", "right")
    with pytest.raises(UserError, match="two doses with both right and wrong answers"):
        dose_response(frame.assign(right=frame["dose"] < 0.3), "dose", "right")
    with pytest.raises(UserError, match="too few wrong answers"):
        dose_response(clustered(np.random.default_rng(4), 3.5, 0, 0.5, clusters=10), "dose", "right")
    with pytest.raises(UserError, match="did you mean 'dose'"):
        dose_response(frame, "doses", "right")
