"""Logistic regression whose coefficients are finite even if a predictor explains all answers.

Letters: N answers, P parameters.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit

__all__ = ["penalised_logistic"]

_STEPS, _TOLERANCE, _LONGEST = 100, 1e-8, 2.0


def penalised_logistic(design: ArrayLike, correct: ArrayLike, times: ArrayLike | None = None) -> NDArray[np.float64]:
    """Fit log-odds(correct) = design · β, penalised by Jeffreys' prior (Firth 1993; Heinze and Schemper 2002).

    Solves Xᵀ(y − p + h(½ − p)) = 0 by Newton's method, where p are the fitted probabilities and h the diagonal of the
    hat matrix. Predictors without variation, or that others explain, get coefficients by the pseudo-inverse.

    Args:
        design: (N, P) predictors, with a column of ones for an intercept.
        correct: (N,) zeros and ones.
        times: (N,) how often each row occurs; None for once.

    Returns:
        (P,) β.
    """
    x, y = np.asarray(design, float), np.asarray(correct, float)
    counts = np.ones(len(y)) if times is None else np.asarray(times, float)
    beta = np.zeros(x.shape[1])
    for _ in range(_STEPS):
        p = expit(x @ beta)
        weight = p * (1 - p)
        inverse = np.linalg.pinv(x.T @ ((counts * weight)[:, None] * x))
        leverage = weight * np.einsum("np,pq,nq->n", x, inverse, x)
        step = inverse @ (x.T @ (counts * (y - p + leverage * (0.5 - p))))
        longest = float(np.abs(step).max())
        beta += step * min(1.0, _LONGEST / longest) if longest > 0 else step
        if longest < _TOLERANCE:
            break
    return beta
