"""A logistic model of clustered answers.

Letters: N answers, P parameters, C clusters.
"""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["clustered_logistic"]


def clustered_logistic(
    design: ArrayLike, right: ArrayLike, groups: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The (P,) parameters of log-odds = design · parameters, and their (P, P) covariance.

    Generalised estimating equations with working independence (Liang and Zeger 1986) over (N, P) `design`, (N,)
    answers and their (N,) clusters, numbered from 0. The covariance is robust to answers of a cluster being alike, and
    corrected for few clusters (Mancl and DeRouen 2001). It is that of `statsmodels`, `GEE(…).fit(cov_type=
    "bias_reduced")`, which solves a system as large as each cluster: their correction is the step that the parameters
    take when a cluster is left out, and systems of P equations give it.

    The covariance is nan where a cluster's answers alone tell a parameter.
    """
    from statsmodels.genmod.families import Binomial
    from statsmodels.genmod.generalized_linear_model import GLM

    matrix, answers, clusters = np.asarray(design, float), np.asarray(right, float), np.asarray(groups)
    with warnings.catch_warnings(action="ignore"):  # of answers that a dose separates; whoever asks looks at the errors
        fit = GLM(answers, matrix, family=Binomial()).fit()
    count, parameters = int(clusters.max()) + 1, matrix.shape[1]
    scores = np.zeros((count, parameters))
    np.add.at(scores, clusters, (answers - fit.mu)[:, None] * matrix)
    information = np.zeros((count, parameters, parameters))
    weight = (fit.mu * (1 - fit.mu))[:, None, None]
    np.add.at(information, clusters, weight * matrix[:, :, None] * matrix[:, None, :])
    without = information.sum(axis=0) - information
    try:
        steps = np.linalg.solve(without, scores[:, :, None])[:, :, 0]
    except np.linalg.LinAlgError:
        return fit.params, np.full((parameters, parameters), np.nan)
    return fit.params, steps.T @ steps
