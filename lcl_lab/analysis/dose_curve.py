"""Accuracy as a function of a dose, such as the share of false labels: a logistic curve over clustered queries."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from lcl_lab.analysis.accuracies import require_columns
from lcl_lab.analysis.logistic import clustered_logistic
from lcl_lab.errors import UserError

__all__ = ["DoseResponse", "dose_response"]


@dataclass(frozen=True)
class DoseResponse:
    """A logistic curve, log-odds of being right = intercept + slope · dose, with 95 % intervals.

    Attributes:
        intercept: log-odds at dose 0.
        slope: change of the log-odds per unit of the dose.
        slope_low: lower end of the slope's interval.
        slope_high: upper end of the slope's interval.
        p_value: of the test that the slope is 0.
        half: the dose at which accuracy is one half, −intercept / slope.
        half_low: lower end of Fieller's interval for `half`; nan if the slope is not significantly different from 0,
            since the curve may then cross one half anywhere.
        half_high: upper end, or nan.
        n: number of queries.
        clusters: number of clusters, such as concept pairs.
    """

    intercept: float
    slope: float
    slope_low: float
    slope_high: float
    p_value: float
    half: float
    half_low: float
    half_high: float
    n: int
    clusters: int


def dose_response(
    frame: pd.DataFrame, dose: str, column: str, cluster: str = "pair", level: float = 0.95
) -> DoseResponse:
    """Fit the logistic curve of an outcome over a dose by generalised estimating equations.

    Standard errors are those of `clustered_logistic` (robust to clusters, Mancl and DeRouen 2001), with Student's t on
    clusters − 2 degrees of freedom. The interval of the dose at one half is Fieller's (1954).

    Args:
        frame: records with the columns below; those without an outcome do not count.
        dose: column of numbers.
        column: column of 0/1 outcomes.
        cluster: column of clusters.
        level: coverage of the intervals.

    Raises:
        UserError: a column is missing; there are fewer than three clusters, or fewer than two doses with both right
            and wrong answers, so that the slope is unbounded; or answers do not vary between clusters.
    """
    require_columns(frame, [dose, column, cluster])
    known = frame.loc[frame[column].notna(), [dose, column, cluster]]
    correct, doses = known[column].to_numpy(float), known[dose].to_numpy(float)
    clusters = known[cluster].nunique()
    if known.groupby(dose)[column].nunique().eq(2).sum() < 2 or clusters < 3:
        raise UserError(f"a curve over {dose} needs three clusters and two doses with both right and wrong answers")
    design = np.column_stack([np.ones(len(doses)), doses])
    (intercept, slope), covariance = clustered_logistic(design, correct, pd.factorize(known[cluster])[0])
    quantile = float(stats.t.ppf((1 + level) / 2, clusters - 2))
    if not (np.isfinite(covariance).all() and covariance[1, 1] > 0):
        raise UserError(f"answers do not vary enough between clusters for a curve over {dose}")
    error = float(np.sqrt(covariance[1, 1]))
    low, high = _fieller(float(intercept), float(slope), covariance, quantile)
    return DoseResponse(
        intercept=float(intercept),
        slope=float(slope),
        slope_low=float(slope) - quantile * error,
        slope_high=float(slope) + quantile * error,
        p_value=float(2 * stats.t.sf(abs(slope) / error, clusters - 2)),
        half=float(-intercept / slope),
        half_low=low,
        half_high=high,
        n=len(known),
        clusters=clusters,
    )


def _fieller(intercept: float, slope: float, covariance: np.ndarray, quantile: float) -> tuple[float, float]:
    """The doses h at which intercept + slope · h is not significantly different from 0 (Fieller 1954)."""
    square = quantile**2
    a = slope**2 - square * covariance[1, 1]
    b = intercept * slope - square * covariance[0, 1]
    c = intercept**2 - square * covariance[0, 0]
    discriminant = b**2 - a * c
    if a <= 0 or discriminant < 0:
        return float("nan"), float("nan")
    root = float(np.sqrt(discriminant))
    return (-b - root) / a, (-b + root) / a
