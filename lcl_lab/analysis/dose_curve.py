"""Accuracy as a function of a dose, such as the share of false labels: a logistic curve over clustered queries."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from lcl_lab.analysis.accuracies import require_columns
from lcl_lab.analysis.intervals import FEW, effective_size
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
        n: number of queries.
        clusters: number of clusters, such as concept pairs.
    """

    intercept: float
    slope: float
    slope_low: float
    slope_high: float
    p_value: float
    n: int
    clusters: int


def dose_response(
    frame: pd.DataFrame, dose: str, column: str, cluster: str = "pair", level: float = 0.95
) -> DoseResponse:
    """Fit the logistic curve of an outcome over a dose by generalised estimating equations.

    Standard errors are those of `clustered_logistic` (robust to clusters, Mancl and DeRouen 2001), with Student's t on
    clusters − 2 degrees of freedom, or on the fewer ones that the kurtosis of the clusters' contributions supports (as
    in `effective_size`). The curve goes from 0 to 1 by construction: its slope summarises a trend, but where
    it is at one half depends on that shape. Use `half_crossing` for the dose at which accuracy crosses one half.

    Args:
        frame: records with the columns below; those without an outcome do not count.
        dose: column of numbers.
        column: column of 0/1 outcomes.
        cluster: column of clusters.
        level: coverage of the intervals.

    Raises:
        UserError: a column is missing; there are fewer than three clusters, or fewer than two doses with both right
            and wrong answers, so that the slope is unbounded; right or wrong answers are worth fewer than `FEW`
            independent ones, so that its interval would be too narrow; or answers do not vary between clusters.
    """
    require_columns(frame, [dose, column, cluster])
    known = frame.loc[frame[column].notna(), [dose, column, cluster]]
    correct, doses = known[column].to_numpy(float), known[dose].to_numpy(float)
    clusters = known[cluster].nunique()
    if known.groupby(dose)[column].nunique().ge(2).sum() < 2 or clusters < 3:
        raise UserError(f"a curve over {dose} needs three clusters and two doses with both right and wrong answers")
    rarer = effective_size(correct, known[cluster]) * min(correct.mean(), 1 - correct.mean())
    if rarer < FEW:
        kind = "wrong" if correct.mean() > 0.5 else "right"
        raise UserError(f"too few {kind} answers for a curve over {dose}: they are worth {rarer:.1f} independent ones")
    design = np.column_stack([np.ones(len(doses)), doses])
    (intercept, slope), steps = clustered_logistic(design, correct, pd.factorize(known[cluster])[0])
    squares = steps[:, 1] ** 2
    if not (np.isfinite(steps).all() and squares.any()):
        raise UserError(f"answers do not vary enough between clusters for a curve over {dose}")
    error = float(np.sqrt(squares.sum()))
    kurtosis = clusters * float((squares**2).sum()) / float(squares.sum()) ** 2
    freedom = min(clusters - 2, 2 * clusters / max(kurtosis - 1, 1e-9))
    quantile = float(stats.t.ppf((1 + level) / 2, freedom))
    return DoseResponse(
        intercept=float(intercept),
        slope=float(slope),
        slope_low=float(slope) - quantile * error,
        slope_high=float(slope) + quantile * error,
        p_value=float(2 * stats.t.sf(abs(slope) / error, freedom)),
        n=len(known),
        clusters=clusters,
    )
