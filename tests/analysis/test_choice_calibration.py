from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from scipy.special import expit
from scipy.stats import norm
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss

from lcl_lab.analysis import calibration, true_probability
from lcl_lab.errors import UserError


def choices(
    rng: np.random.Generator, pairs: int, each: int, spread: float, slope: float, shift: float = 0.0
) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Probabilities of the true name, and pairs, within which correct answers are correlated.

    Log-odds of the more likely name are |normal|; its accuracy has `slope` times those log-odds, less `shift`.
    """
    clusters = np.repeat(np.arange(pairs), each)
    margin = np.abs(rng.normal(0, spread, len(clusters)))
    shared = 0.15**0.5 * rng.normal(size=pairs)[clusters] + 0.85**0.5 * rng.normal(size=len(clusters))
    right = norm.cdf(shared) < np.clip(expit(slope * margin) - shift, 0, 1)
    return np.where(right, expit(margin), expit(-margin)), clusters


def error_of(spread: float, slope: float, shift: float) -> float:
    margin = spread * norm.ppf(0.5 + (np.arange(4000) + 0.5) / 8000)
    return float(np.abs(expit(margin) - np.clip(expit(slope * margin) - shift, 0, 1)).mean())


def test_brier_score_and_diagram_are_those_of_scikit_learn() -> None:
    """With a fair coin for which of both names is called positive: the score does not depend on it."""
    rng = np.random.default_rng(0)
    p, clusters = choices(rng, 40, 5, 2.0, 0.7)
    result = calibration(p, clusters, rng)
    positive = rng.random(len(p)) < 0.5
    assert result.brier == pytest.approx(brier_score_loss(positive, np.where(positive, p, 1 - p)))
    accuracy, confidence = calibration_curve(p > 0.5, np.maximum(p, 1 - p), n_bins=10, strategy="quantile")
    assert result.bins["estimate"].to_numpy() == pytest.approx(accuracy)
    assert result.bins["confidence"].to_numpy() == pytest.approx(confidence)
    assert result.bins["n"].sum() == len(p) == result.n


def test_both_names_of_every_query_have_the_error_of_the_more_likely_one() -> None:
    """Why a fixed or random name is not needed: the diagram of both is symmetric about (1/2, 1/2)."""
    p, _ = choices(np.random.default_rng(1), 40, 5, 2.0, 0.7)
    confidence, right = np.maximum(p, 1 - p), (p > 0.5).astype(float)
    both, labels = np.concatenate([p, 1 - p]), np.concatenate([np.ones(len(p)), np.zeros(len(p))])
    for low in np.arange(0.5, 1, 0.1):
        inside = (confidence > low) & (confidence <= low + 0.1)
        upper = (both > low) & (both <= low + 0.1)
        assert (right[inside] - confidence[inside]).mean() == pytest.approx((labels[upper] - both[upper]).mean())


@pytest.mark.parametrize(("pairs", "each", "slope", "shift"), [(20, 6, 1.0, 0.0), (50, 4, 0.6, 0.0), (20, 6, 1.0, 0.3)])
@pytest.mark.slow
def test_the_calibration_error_has_nominal_coverage(slope: float, shift: float, pairs: int, each: int) -> None:
    rng = np.random.default_rng([2, pairs, int(10 * shift)])
    truth = error_of(1.5, slope, shift)
    results = [calibration(*choices(rng, pairs, each, 1.5, slope, shift), rng) for _ in range(300)]
    assert (
        np.mean([one.ece_low <= truth + 1e-9 and truth - 1e-9 <= one.ece_high for one in results]) >= 0.91
    )  # 300 draws
    if shift:
        assert np.mean([one.ece for one in results]) == pytest.approx(truth, abs=0.015)


def test_it_is_less_biased_than_the_plain_error() -> None:
    rng = np.random.default_rng(3)
    results = [calibration(*choices(rng, 50, 4, 1.5, 1.0), rng) for _ in range(40)]
    plain = [
        float((one.bins["n"] / one.n * (one.bins["estimate"] - one.bins["confidence"]).abs()).sum()) for one in results
    ]
    assert np.mean([one.ece for one in results]) < 0.5 * np.mean(plain)
    assert np.mean([one.ece_low for one in results]) < 0.002


def test_ties_are_half_right() -> None:
    result = calibration(np.full(60, 0.5), np.arange(60) // 6, np.random.default_rng(4))
    assert (result.accuracy, result.confidence, result.ece, result.brier) == (0.5, 0.5, 0.0, 0.25)
    assert len(result.bins) == 1


def test_a_model_that_is_always_sure_and_right_may_still_err() -> None:
    result = calibration(np.ones(60), np.arange(60) // 6, np.random.default_rng(5))
    assert (result.ece, result.ece_low) == (0, 0)
    assert result.ece_high == pytest.approx(0.278, abs=0.001)  # Wilson's limit for 0 errors in 10 pairs
    wrong = calibration(np.zeros(60), np.arange(60) // 6, np.random.default_rng(5))
    assert (wrong.ece, wrong.accuracy, wrong.brier) == (pytest.approx(1), 0, 1)


def test_the_probability_is_that_of_the_whole_names() -> None:
    records = pd.DataFrame({"loglik_true": [-1.0, -2.0, -800.0], "loglik_other": [-2.0, -2.0, -1.0]})
    records = records.assign(tokens_true=3, tokens_other=1)
    assert true_probability(records) == pytest.approx([1 / (1 + np.exp(-1)), 0.5, 0.0])
    with pytest.raises(UserError, match="a record has none"):
        true_probability(records.assign(loglik_other=[None, -1.0, -1.0]))
    with pytest.raises(UserError, match="no column 'loglik_true'"):
        true_probability(records.drop(columns="loglik_true"))


def test_what_is_no_probability_is_refused() -> None:
    rng = np.random.default_rng(6)
    with pytest.raises(UserError, match="between 0 and 1"):
        calibration([0.5, 1.5], ["a", "b"], rng)
    with pytest.raises(UserError, match="its cluster"):
        calibration([0.5, 0.5], ["a"], rng)
    with pytest.raises(UserError, match="two clusters"):
        calibration([0.5, 0.5], ["a", "a"], rng)
