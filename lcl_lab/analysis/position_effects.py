"""What a false label does, by where in the support it stands: 16 effects at once, in two designs.

One at a time: every query is asked with all labels true, and again with one label false, at each place. Factorial:
each prompt has labels flipped at random at several places, and a logistic model tells their effects apart, so every
prompt says something about every place (Fisher 1935, "The Design of Experiments", chapter VI).

Letters: N prompts, K places, C clusters.
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

__all__ = ["Places", "factorial_drops", "places_differ", "position_drops"]

_DRAWS = 20_000  # of the largest of K correlated t


@dataclass(frozen=True)
class Places:
    """How far accuracy falls where one label is false, by its place, and whether the places differ.

    `drops` has a row a place: position (1 = first), drop, low, high; the 95 % intervals hold all at once.
    `error` is the root mean square of the places' standard errors: designs are compared by it, since intervals near 0
    are wider than errors say, and not in all designs alike.
    """

    drops: pd.DataFrame
    intact: float  # accuracy with all labels true
    p_value: float  # of the joint test that the places do not differ
    error: float
    prompts: int
    clusters: int


def position_drops(
    intact: ArrayLike, false: ArrayLike, clusters: ArrayLike, rng: np.random.Generator, level: float = 0.95
) -> Places:
    """The design of one false label at a time: (N,) answers with all labels true, (N, K) with one false, in clusters.

    The intervals are those of paired differences, at the level at which the largest of K correlated t statistics
    stays inside (Westfall and Young 1993); the joint test is `places_differ`.

    Raises:
        UserError: fewer than two places or clusters.
    """
    right, wrong, names = np.asarray(intact, float), np.asarray(false, float), np.asarray(clusters)
    if wrong.ndim != 2 or wrong.shape[1] < 2 or len(np.unique(names)) < 2:
        raise UserError("a study of places needs two places and two clusters at least")
    drop = right[:, None] - wrong
    sums = _sums(drop - drop.mean(axis=0), names)
    spread = sums.T @ sums * len(sums) / (len(sums) - 1) / len(drop) ** 2
    own = _level(spread, len(sums) - 1, rng, level)
    intervals = [difference_interval(column, names, rng, own) for column in drop.T]
    return Places(
        drops=_rows(drop.mean(axis=0), *np.transpose(intervals)),
        intact=float(right.mean()),
        p_value=places_differ(drop, names, rng),
        error=float(np.sqrt(np.diag(spread).mean())),
        prompts=right.size + wrong.size,
        clusters=len(sums),
    )


def places_differ(drops: ArrayLike, clusters: ArrayLike, rng: np.random.Generator, draws: int = 4999) -> float:
    """The p-value of the test that K places do the same, on (N, K) drops.

    If they do, the places of a cluster can be exchanged; the statistic is the variance between their means, its
    distribution that under random exchanges, the same for all queries of a cluster.
    """
    sums = _sums(np.asarray(drops, float), np.asarray(clusters))
    observed = sums.sum(axis=0).var()
    orders = rng.permuted(np.broadcast_to(np.arange(sums.shape[1]), (draws, *sums.shape)), axis=2)
    exchanged = np.take_along_axis(np.broadcast_to(sums, orders.shape), orders, axis=2).sum(axis=1).var(axis=1)
    return float((1 + (exchanged >= observed - 1e-9).sum()) / (1 + draws))


def factorial_drops(
    flips: ArrayLike, right: ArrayLike, clusters: ArrayLike, rng: np.random.Generator, level: float = 0.95
) -> Places:
    """The randomised factorial design: (N, K) whether the label at each place is false, (N,) whether the answer is
    right, in clusters.

    log-odds of being right = a + Σ b_k · flip_k, by generalised estimating equations; the drop of place k is what the
    model gives for it alone, σ(a) − σ(a + b_k). The covariance is robust to clusters and corrected for their small
    number (Mancl and DeRouen 2001); intervals are quantiles of drops under the multivariate t distribution that it
    gives the parameters, since near 0 and 1 drops are skewed. The joint test is Wald's, as F with (K − 1, C − K)
    degrees of freedom after Hotelling.

    Raises:
        UserError: too few right or wrong answers, or clusters, for K effects.
    """
    design, answers, names = np.asarray(flips, float), np.asarray(right, float), np.asarray(clusters)
    groups = np.unique(names, return_inverse=True)[1]
    places, count = design.shape[1], int(groups.max(initial=-1)) + 1
    rarer = min(answers.sum(), len(answers) - answers.sum())
    if rarer < 3 * places or count <= places + 1:
        raise UserError(
            f"{places} effects need {3 * places} right and as many wrong answers in {places + 2} clusters, "
            f"not {rarer:.0f} in {count}"
        )
    parameters, covariance = clustered_logistic(np.column_stack([np.ones(len(design)), design]), answers, groups)
    drawn = parameters + _correlated_t(covariance, count - 1, rng)
    low, high = _simultaneous(_alone(drawn), level)
    slope = _logistic(parameters[0] + parameters[1:]) * (1 - _logistic(parameters[0] + parameters[1:]))
    intact = float(_logistic(parameters[0]))
    gradient = np.column_stack([intact * (1 - intact) - slope, -np.diag(slope)])
    return Places(
        drops=_rows(_alone(parameters), low, high),
        intact=intact,
        p_value=_wald(parameters[1:], covariance[1:, 1:], count),
        error=float(np.sqrt(np.diag(gradient @ covariance @ gradient.T).mean())),
        prompts=len(answers),
        clusters=count,
    )


def _alone(parameters: NDArray[np.float64]) -> NDArray[np.float64]:
    """(…, 1 + K) intercept and effects → (…, K) drops of each place falsified alone."""
    return _logistic(parameters[..., :1]) - _logistic(parameters[..., :1] + parameters[..., 1:])


def _simultaneous(drawn: NDArray[np.float64], level: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The band of (D, K) draws between equal ranks that holds a share `level` of them whole (Besag et al. 1995)."""
    ordered = np.sort(drawn, axis=0)
    ranks = drawn.argsort(axis=0).argsort(axis=0)
    outermost = np.maximum(ranks, len(drawn) - 1 - ranks).max(axis=1)
    rank = int(np.quantile(outermost, level, method="higher"))
    return ordered[len(drawn) - 1 - rank], ordered[rank]


def _wald(effects: NDArray[np.float64], covariance: NDArray[np.float64], clusters: int) -> float:
    places = len(effects)
    contrast = np.eye(places)[1:] - 1 / places
    found = contrast @ effects
    square = float(found @ np.linalg.solve(contrast @ covariance @ contrast.T, found))
    freedom = clusters - places
    return float(stats.f.sf(square * freedom / ((places - 1) * (clusters - 1)), places - 1, freedom))


def _level(covariance: NDArray[np.float64], freedom: int, rng: np.random.Generator, level: float) -> float:
    """The level of each interval at which all hold together with `level`."""
    deviation = np.sqrt(np.diag(covariance))
    moving = deviation > 0  # a place at which nothing ever changed tells no correlation and is taken as independent
    scale = np.where(moving, deviation, 1.0)
    drawn = _correlated_t(covariance / np.outer(scale, scale) + np.diag(np.where(moving, 0.0, 1.0)), freedom, rng)
    return float(1 - 2 * stats.t.sf(np.quantile(np.abs(drawn).max(axis=1), level), freedom))


def _correlated_t(covariance: NDArray[np.float64], freedom: int, rng: np.random.Generator) -> NDArray[np.float64]:
    drawn = rng.multivariate_normal(np.zeros(len(covariance)), covariance, size=_DRAWS, method="eigh")
    return drawn / np.sqrt(rng.chisquare(freedom, size=(_DRAWS, 1)) / freedom)


def _sums(values: NDArray[np.float64], clusters: NDArray[np.object_]) -> NDArray[np.float64]:
    """(N, K) values → (C, K) sums."""
    groups = np.unique(clusters, return_inverse=True)[1]
    sums = np.zeros((int(groups.max()) + 1, values.shape[1]))
    np.add.at(sums, groups, values)
    return sums


def _rows(drop: ArrayLike, low: ArrayLike, high: ArrayLike) -> pd.DataFrame:
    columns = {"drop": np.asarray(drop), "low": np.maximum(low, -1.0), "high": np.minimum(high, 1.0)}
    return pd.DataFrame({"position": np.arange(1, len(columns["drop"]) + 1), **columns})


def _logistic(value: ArrayLike) -> NDArray[np.float64]:
    return 1 / (1 + np.exp(-np.asarray(value, float)))
