"""Logistic regression whose coefficients are finite even if a predictor explains all answers.

Letters: N answers, P parameters, M fits.
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
        times: (N,) how often each row occurs, or (M, N) for M fits at once; None for once.

    Returns:
        (P,) or (M, P) β.
    """
    x, y = np.asarray(design, float), np.asarray(correct, float)
    counts = np.ones(len(y)) if times is None else np.asarray(times, float)
    of_fits = np.atleast_2d(counts)
    beta = np.zeros((len(of_fits), x.shape[1]))
    fits = np.arange(len(of_fits))
    for _ in range(_STEPS):
        step = _newton_step(x, y, of_fits[fits], beta[fits])
        longest = np.abs(step).max(axis=1)
        beta[fits] += step * (_LONGEST / np.maximum(longest, _LONGEST))[:, None]
        fits = fits[longest >= _TOLERANCE]
        if not len(fits):
            break
    return beta.reshape(*counts.shape[:-1], x.shape[1])


def _newton_step(
    x: NDArray[np.float64], y: NDArray[np.float64], counts: NDArray[np.float64], beta: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(M, P) steps from (M, P) β, of rows that occur (M, N) times."""
    p = expit(beta @ x.T)
    weight = p * (1 - p)
    inverse = np.linalg.pinv(x.T @ ((counts * weight)[:, :, None] * x))
    leverage = weight * ((x @ inverse) * x).sum(axis=2)
    score = (counts * (y - p + leverage * (0.5 - p))) @ x
    return np.asarray((inverse @ score[:, :, None])[:, :, 0], dtype=np.float64)
