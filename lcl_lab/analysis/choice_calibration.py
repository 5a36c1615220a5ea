"""Calibration of a choice between two candidates: is a model right as often as it is confident?

The confidence of a choice is max(P, 1 − P), with P the probability of the true name. The two names of a query are its
two labels, one of which is true: a reliability diagram of both is symmetric about (1/2, 1/2) and has the same
calibration error as that of the more likely name alone, whereas P itself only occurs with the label "true". A tie has
the confidence 1/2 and is half right, which is the average over its two labels.

Letters: N answers, C clusters, B bins, D resamples.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import optimize, stats
from scipy.special import expit

from lcl_lab.analysis.accuracies import require_columns
from lcl_lab.analysis.clusters import cluster_numbers, count_clusters
from lcl_lab.analysis.intervals import FEW, cluster_bootstrap, effective_size, wilson
from lcl_lab.analysis.ties import has_several_names
from lcl_lab.errors import UserError

__all__ = ["Calibration", "calibration", "confidence_bins", "true_probability"]

_BINS = 10
_PER_BIN = 20  # answers; fewer say little about the accuracy of a bin
_DRAWS = 2000
_LARGEST = 100.0  # multiple of the observed miscalibration, far beyond any interval


@dataclass(frozen=True)
class Calibration:
    """Calibration of the choices of a model between two candidates.

    Attributes:
        brier: mean squared distance of the true name's probability from 1; 0.25 for a model that always says 1/2.
        brier_low: lower end of its 95 % interval.
        brier_high: upper end of its interval.
        ece: expected calibration error, corrected for its bias.
        ece_low: lower end of its interval.
        ece_high: upper end of its interval.
        confidence: mean confidence.
        accuracy: share of right choices.
        bins: one row per bin of confidence, the points of a reliability diagram: confidence (mean), estimate
            (accuracy), low, high, n and clusters.
        n: number of answers.
        clusters: number of clusters, such as concept pairs.
    """

    brier: float
    brier_low: float
    brier_high: float
    ece: float
    ece_low: float
    ece_high: float
    confidence: float
    accuracy: float
    bins: pd.DataFrame = field(repr=False)
    n: int
    clusters: int


def true_probability(records: pd.DataFrame) -> NDArray[np.float64]:
    """The probability of the true name given that the model says one of the two: σ(loglik_true − loglik_other).

    From total log-likelihoods, which are those of the whole names. A mean per token, as the metric `candidate`
    compares, is the logarithm of no probability. The choice is therefore that of `candidate-raw`; the two agree where
    both names have the same number of tokens.

    Args:
        records: N records with log-likelihoods.

    Returns:
        (N,) probabilities.

    Raises:
        UserError: a column or a log-likelihood is missing, or there are more than two names.
    """
    if has_several_names(records):
        raise UserError("calibration is of choices between two names; select the records of 2-way episodes")
    columns = ["loglik_true", "loglik_other"]
    require_columns(records, columns)
    true, other = (records[column].astype(float).to_numpy() for column in columns)
    if np.isnan(true).any() or np.isnan(other).any():
        raise UserError("calibration needs the log-likelihoods of both names; a record has none")
    return np.asarray(expit(true - other), dtype=np.float64)


def calibration(
    probability: ArrayLike, clusters: ArrayLike, rng: np.random.Generator, level: float = 0.95
) -> Calibration:
    """Brier score, expected calibration error and reliability diagram of choices between two candidates.

    Brier score: mean (1 − P)² (Brier 1950), with the interval of `cluster_bootstrap`.

    Expected calibration error (Naeini et al. 2015): E = Σ_b n_b/N·|accuracy_b − confidence_b| over bins of equal mass,
    which are less biased than those of equal width (Roelofs et al. 2022): 10, or N/20 if that is fewer. Equal
    confidences share a bin. Sampling noise makes every term positive, so that E of a calibrated model is above 0. As in
    the debiased estimator of Kumar et al. (2019), the bias is what noise adds; here, that of resampled clusters. With g
    the signed terms and g* those of a resample, a model whose miscalibration is λ·g would show E_λ = Σ_b |λ·g_b + (g*_b
    − g_b)·h|, with h = t/z·√(C/(C − 1)). The estimate is λ·E at the λ whose median of E_λ is the observed E, or 0 where
    even λ = 0 has a larger one. The interval has the λ that this test does not reject at (1 − level)/2 on either side
    (test-inversion bootstrap, Carpenter 1999). Since E is at least the distance of mean confidence from accuracy, the
    upper end is at least that of this distance; with fewer than `FEW` effective choices wrong, or right, by Wilson's
    interval of the accuracy.

    Calibration within bins is averaged, so that E is a lower limit where over- and underconfident answers share a bin.

    Coverage of the calibration error at level 0.95 in simulations of 20 to 50 pairs with 4 to 10 answers each: 96 to
    99 % for calibrated models, 94 to 99 % for errors of 0.07 to 0.3, which are underestimated by up to a fifth with 200
    answers and hardly with 500.

    Args:
        probability: (N,) P, the probability of the true name, as `true_probability` returns.
        clusters: (N,) the cluster of each answer.
        rng: draws the resamples.
        level: coverage of the intervals.

    Raises:
        UserError: no answers, shapes that differ, fewer than two clusters, or a probability outside 0 … 1.
    """
    p, names = np.asarray(probability, dtype=np.float64), cluster_numbers(clusters)
    if p.shape != names.shape or p.ndim != 1:
        raise UserError(f"every probability needs its cluster; there are {p.shape} and {names.shape}")
    if not ((p >= 0) & (p <= 1)).all():
        raise UserError("probabilities must lie between 0 and 1, and none may be missing")
    if count_clusters(names) < 2:
        raise UserError("calibration needs at least two clusters")
    confidence = np.maximum(p, 1 - p)
    right = np.where(p == 0.5, 0.5, (p > 0.5).astype(float))
    brier = (1 - p) ** 2
    bin_of = _bin_of(confidence)
    error, low, high = _calibration_error(right - confidence, bin_of, names, rng, level)
    least, most = _few_errors(right, confidence, names, level)
    return Calibration(
        float(brier.mean()),
        *cluster_bootstrap(brier, names, rng, level=level),
        ece=error,
        ece_low=min(low, least),
        ece_high=min(1.0, max(high, most)),
        confidence=float(confidence.mean()),
        accuracy=float(right.mean()),
        bins=_bins(confidence, right, bin_of, names, level),
        n=len(p),
        clusters=count_clusters(names),
    )


def confidence_bins(probability: ArrayLike) -> NDArray[np.intp]:
    """The bin of each answer in a reliability diagram.

    Args:
        probability: (N,) P, as for `calibration`.

    Returns:
        (N,) numbers of rows of `Calibration.bins`.
    """
    p = np.asarray(probability, dtype=np.float64)
    return _bin_of(np.maximum(p, 1 - p))


def _bin_of(confidence: NDArray[np.float64]) -> NDArray[np.intp]:
    """(N,) the number of each answer's bin, from 0 and without gaps."""
    count = int(np.clip(len(confidence) // _PER_BIN, 1, _BINS))
    edges = np.quantile(confidence, np.arange(1, count) / count)
    return np.unique(np.searchsorted(edges, confidence), return_inverse=True)[1]


def _calibration_error(
    gaps: NDArray[np.float64],
    bin_of: NDArray[np.intp],
    groups: NDArray[np.intp],
    rng: np.random.Generator,
    level: float,
) -> tuple[float, float, float]:
    """The calibration error with its interval; see `calibration`."""
    clusters = int(groups.max()) + 1
    sums = np.zeros((clusters, int(bin_of.max()) + 1))
    np.add.at(sums, (groups, bin_of), gaps)
    signed = sums.sum(axis=0) / len(gaps)
    observed = float(np.abs(signed).sum())
    if observed == 0:
        return 0.0, 0.0, 0.0
    weights = rng.multinomial(clusters, np.full(clusters, 1 / clusters), size=_DRAWS)
    tail = (1 + level) / 2
    widening = float(stats.t.ppf(tail, clusters - 1) / stats.norm.ppf(tail)) * (clusters / (clusters - 1)) ** 0.5
    noise = widening * ((weights @ sums) / (weights @ np.bincount(groups))[:, None] - signed)

    def excess(scale: float, quantile: float) -> float:
        return float(np.quantile(np.abs(scale * signed + noise).sum(axis=1), quantile)) - observed

    def error(quantile: float) -> float:
        """The error of the multiple of the observed gaps under which the observed error is at a quantile."""
        if excess(0.0, quantile) >= 0:
            return 0.0
        return observed * float(optimize.brentq(excess, 0.0, _LARGEST, args=(quantile,)))

    overall = float(signed.sum()) + np.quantile(noise.sum(axis=1), [1 - tail, tail])
    return error(0.5), error(tail), max(error(1 - tail), float(np.abs(overall).max()))


def _few_errors(
    right: NDArray[np.float64], confidence: NDArray[np.float64], clusters: NDArray[np.intp], level: float
) -> tuple[float, float]:
    """Limits of the distance of mean confidence from accuracy, where resampled clusters do not show its noise.

    That is so with few errors, and where all clusters have the same accuracy; elsewhere the limits are 1 and 0.
    """
    mean, size = float(right.mean()), effective_size(right, clusters, level)
    varies = pd.Series(right).groupby(clusters).mean().round(9).nunique() > 1
    if varies and size * min(mean, 1 - mean) >= FEW:
        return 1.0, 0.0
    low, high = (float(confidence.mean()) - end for end in reversed(wilson(mean * size, size, level)))
    return (0.0 if low <= 0 <= high else min(abs(low), abs(high))), max(abs(low), abs(high))


def _bins(
    confidence: NDArray[np.float64],
    right: NDArray[np.float64],
    bin_of: NDArray[np.intp],
    clusters: NDArray[np.intp],
    level: float,
) -> pd.DataFrame:
    rows = []
    for number in range(int(bin_of.max()) + 1):
        inside = bin_of == number
        mean, size = float(right[inside].mean()), effective_size(right[inside], clusters[inside], level)
        low, high = wilson(mean * size, size, level)
        numbers = float(confidence[inside].mean()), mean, low, high, int(inside.sum()), len(np.unique(clusters[inside]))
        rows.append(dict(zip(("confidence", "estimate", "low", "high", "n", "clusters"), numbers, strict=True)))
    return pd.DataFrame(rows)
