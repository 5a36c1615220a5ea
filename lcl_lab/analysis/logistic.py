"""Logistic regression of clustered answers.

Letters: N answers, P parameters, C clusters.
"""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import ArrayLike, NDArray
from statsmodels.genmod.families import Binomial
from statsmodels.genmod.generalized_linear_model import GLM

__all__ = ["clustered_logistic"]


def clustered_logistic(
    design: ArrayLike, correct: ArrayLike, groups: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Fit log-odds(correct) = design · β by generalised estimating equations with working independence.

    The point estimates are those of ordinary logistic regression (Liang and Zeger 1986). The covariance is robust to
    correlated answers within a cluster and corrected for few clusters (Mancl and DeRouen 2001): Σ_c δ_c δ_cᵀ, where
    δ_c = (I − I_c)⁻¹ s_c is the step that β takes when cluster c, with score s_c and information I_c, is left out. It
    equals that of statsmodels, ``GEE(…).fit(cov_type="bias_reduced")``, but solves systems of P equations instead of
    one per cluster that is as large as the cluster, and shows how much each cluster contributes.

    Args:
        design: (N, P) predictors, with a column of ones for an intercept.
        correct: (N,) zeros and ones.
        groups: (N,) clusters, numbered from 0.

    Returns:
        The (P,) parameters β and the (C, P) steps δ, which are nan if a parameter depends on a single cluster.
    """
    matrix, answers, clusters = np.asarray(design, float), np.asarray(correct, float), np.asarray(groups)
    with warnings.catch_warnings(action="ignore"):  # perfect separation: callers check the covariance
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
        return fit.params, np.full_like(scores, np.nan)
    return fit.params, steps
