"""The effect of one false label on accuracy, by its position in the support, estimated by two designs.

One at a time: each query is evaluated with all labels true, and again with one label false, at every position.
Factorial: each prompt has labels flipped at random at several positions, and a logistic model separates their effects,
so that every prompt is informative about every position (Fisher 1935, "The Design of Experiments", chapter VI).

Letters: N prompts, K positions, C clusters.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from lcl_lab.analysis.logistic import clustered_logistic
from lcl_lab.analysis.paired import difference_interval
from lcl_lab.errors import UserError

__all__ = ["PositionEffects", "factorial_drops", "position_drops", "positions_differ"]

_DRAWS = 20_000  # simulated draws of K correlated t statistics


@dataclass(frozen=True)
class PositionEffects:
    """The drop in accuracy caused by one false label, by its position, and whether positions differ.

    Attributes:
        drops: one row per position with the columns position (1 = first), drop, low and high; the 95 % intervals hold
            simultaneously.
        intact: accuracy with all labels true.
        p_value: of the joint test that all positions have the same effect.
        error: root mean square of the standard errors of the drops. Compare designs by it rather than by interval
            widths: near 0 these are wider than the errors, to a different degree in each design.
        prompts: number of prompts evaluated.
        n: number of queries; each has 1 + K prompts one at a time, and one in the factorial design.
        clusters: number of clusters, such as concept pairs.
    """

    drops: pd.DataFrame
    intact: float
    p_value: float
    error: float
    prompts: int
    n: int
    clusters: int


def position_drops(
    intact: ArrayLike, false: ArrayLike, clusters: ArrayLike, rng: np.random.Generator, level: float = 0.95
) -> PositionEffects:
    """Effects of each position in the one-at-a-time design.

    The drop at a position is the mean of the paired differences between all labels true and that label false. Its
    interval is `difference_interval` at the level at which the largest of K correlated t statistics stays within its
    quantile (Westfall and Young 1993), so that all hold together. The joint test is `positions_differ`.

    Args:
        intact: (N,) zeros and ones, outcomes with all labels true.
        false: (N, K) outcomes with the label at each position false.
        clusters: (N,) the cluster of each query.
        rng: draws the simulations and bootstraps.
        level: simultaneous coverage of the intervals.

    Raises:
        UserError: fewer than two positions or clusters.
    """
    right, wrong, names = np.asarray(intact, float), np.asarray(false, float), np.asarray(clusters)
    if wrong.ndim != 2 or wrong.shape[1] < 2 or len(np.unique(names)) < 2:
        raise UserError("position effects need at least two positions and two clusters")
    drop = right[:, None] - wrong
    sums = _sums(drop - drop.mean(axis=0), names)
    spread = sums.T @ sums * len(sums) / (len(sums) - 1) / len(drop) ** 2
    each = _level(spread, len(sums) - 1, rng, level)
    intervals = [difference_interval(column, names, rng, each) for column in drop.T]
    return PositionEffects(
        drops=_rows(drop.mean(axis=0), *np.transpose(intervals)),
        intact=float(right.mean()),
        p_value=positions_differ(drop, names, rng),
        error=float(np.sqrt(np.diag(spread).mean())),
        prompts=right.size + wrong.size,
        n=right.size,
        clusters=len(sums),
    )


def positions_differ(drops: ArrayLike, clusters: ArrayLike, rng: np.random.Generator, draws: int = 4999) -> float:
    """Permutation test that all positions have the same effect.

    The statistic is the variance of the K mean drops. Under the null hypothesis the positions of a cluster are
    exchangeable, so its distribution comes from permuting the positions at random in each cluster, in the same way
    for all queries of the cluster.

    Args:
        drops: (N, K) paired differences.
        clusters: (N,) the cluster of each query.
        rng: draws the permutations.
        draws: number of permutations.

    Returns:
        The p-value, (1 + permutations with a variance at least as large) / (1 + draws).
    """
    sums = _sums(np.asarray(drops, float), np.asarray(clusters))
    observed = sums.sum(axis=0).var()
    orders = rng.permuted(np.broadcast_to(np.arange(sums.shape[1]), (draws, *sums.shape)), axis=2)
    exchanged = np.take_along_axis(np.broadcast_to(sums, orders.shape), orders, axis=2).sum(axis=1).var(axis=1)
    return float((1 + (exchanged >= observed - 1e-9).sum()) / (1 + draws))


def factorial_drops(
    flips: ArrayLike, correct: ArrayLike, clusters: ArrayLike, rng: np.random.Generator, level: float = 0.95
) -> PositionEffects:
    """Effects of each position in the randomised factorial design.

    Fits log-odds(correct) = a + Σ_k b_k · flip_k by generalised estimating equations. The drop at position k is that of
    a prompt with only this label false, σ(a) − σ(a + b_k). The covariance is robust to clusters and corrected for
    their small number (`clustered_logistic`; Mancl and DeRouen 2001). Intervals are simultaneous quantiles (Besag et
    al. 1995) of drops under the multivariate t distribution of the parameters, since drops near 0 and 1 are skewed.
    The joint test is Wald's, as F with (K − 1, C − K) degrees of freedom after Hotelling.

    Args:
        flips: (N, K) whether the label at each position is false.
        correct: (N,) zeros and ones.
        clusters: (N,) the cluster of each prompt.
        rng: draws the parameters.
        level: simultaneous coverage of the intervals.

    Raises:
        UserError: too few right answers, wrong answers or clusters for K effects.
    """
    design, answers, names = np.asarray(flips, float), np.asarray(correct, float), np.asarray(clusters)
    groups = np.unique(names, return_inverse=True)[1]
    positions, count = design.shape[1], int(groups.max(initial=-1)) + 1
    rarer = min(answers.sum(), len(answers) - answers.sum())
    if rarer < 3 * positions or count <= positions + 1:
        raise UserError(
            f"{positions} effects need at least {3 * positions} right answers, {3 * positions} wrong answers and "
            f"{positions + 2} clusters; there are {rarer:.0f} of the rarer outcome and {count} clusters"
        )
    parameters, covariance = clustered_logistic(np.column_stack([np.ones(len(design)), design]), answers, groups)
    drawn = parameters + _correlated_t(covariance, count - 1, rng)
    low, high = _simultaneous(_alone(drawn), level)
    slope = _logistic(parameters[0] + parameters[1:]) * (1 - _logistic(parameters[0] + parameters[1:]))
    intact = float(_logistic(parameters[0]))
    gradient = np.column_stack([intact * (1 - intact) - slope, -np.diag(slope)])
    return PositionEffects(
        drops=_rows(_alone(parameters), low, high),
        intact=intact,
        p_value=_wald(parameters[1:], covariance[1:, 1:], count),
        error=float(np.sqrt(np.diag(gradient @ covariance @ gradient.T).mean())),
        prompts=len(answers),
        n=len(answers),
        clusters=count,
    )


def _alone(parameters: NDArray[np.float64]) -> NDArray[np.float64]:
    """(…, 1 + K) intercept and effects to the (…, K) drops with one false label each."""
    return _logistic(parameters[..., :1]) - _logistic(parameters[..., :1] + parameters[..., 1:])


def _simultaneous(drawn: NDArray[np.float64], level: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The band between equal ranks that contains a share `level` of the rows of (D, K) draws (Besag et al. 1995)."""
    ordered = np.sort(drawn, axis=0)
    ranks = drawn.argsort(axis=0).argsort(axis=0)
    outermost = np.maximum(ranks, len(drawn) - 1 - ranks).max(axis=1)
    rank = int(np.quantile(outermost, level, method="higher"))
    return ordered[len(drawn) - 1 - rank], ordered[rank]


def _wald(effects: NDArray[np.float64], covariance: NDArray[np.float64], clusters: int) -> float:
    positions = len(effects)
    contrast = np.eye(positions)[1:] - 1 / positions
    deviations = contrast @ effects
    square = float(deviations @ np.linalg.solve(contrast @ covariance @ contrast.T, deviations))
    freedom = clusters - positions
    return float(stats.f.sf(square * freedom / ((positions - 1) * (clusters - 1)), positions - 1, freedom))


def _level(covariance: NDArray[np.float64], freedom: int, rng: np.random.Generator, level: float) -> float:
    """The coverage of each interval with which all hold simultaneously at `level`."""
    deviation = np.sqrt(np.diag(covariance))
    varies = deviation > 0  # where nothing ever changed there is no correlation to estimate: assume independence
    scale = np.where(varies, deviation, 1.0)
    drawn = _correlated_t(covariance / np.outer(scale, scale) + np.diag(np.where(varies, 0.0, 1.0)), freedom, rng)
    return float(1 - 2 * stats.t.sf(np.quantile(np.abs(drawn).max(axis=1), level), freedom))


def _correlated_t(covariance: NDArray[np.float64], freedom: int, rng: np.random.Generator) -> NDArray[np.float64]:
    drawn = rng.multivariate_normal(np.zeros(len(covariance)), covariance, size=_DRAWS, method="eigh")
    return drawn / np.sqrt(rng.chisquare(freedom, size=(_DRAWS, 1)) / freedom)


def _sums(values: NDArray[np.float64], clusters: NDArray[np.object_]) -> NDArray[np.float64]:
    """(N, K) values to (C, K) sums."""
    groups = np.unique(clusters, return_inverse=True)[1]
    sums = np.zeros((int(groups.max()) + 1, values.shape[1]))
    np.add.at(sums, groups, values)
    return sums


def _rows(drop: ArrayLike, low: ArrayLike, high: ArrayLike) -> pd.DataFrame:
    columns = {"drop": np.asarray(drop), "low": np.maximum(low, -1.0), "high": np.minimum(high, 1.0)}
    return pd.DataFrame({"position": np.arange(1, len(columns["drop"]) + 1), **columns})


def _logistic(value: ArrayLike) -> NDArray[np.float64]:
    return 1 / (1 + np.exp(-np.asarray(value, float)))
