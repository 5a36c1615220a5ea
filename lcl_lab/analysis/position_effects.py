"""The effect of a false label on accuracy, by its position in the support, estimated by two designs.

One at a time: each query is evaluated with all labels true, and again with one label false, at every position.
Factorial: each prompt has labels flipped at random at several positions, so that every prompt is informative about
every position (Fisher 1935, "The Design of Experiments", chapter VI).

The estimands differ: the first is the effect of a single false label, the second that of a false label among labels of
which a known share is false. Neither estimator assumes how a model combines the labels.

Letters: N queries or prompts, K positions, C clusters.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import optimize, stats
from statsmodels.stats.proportion import proportion_confint

from lcl_lab.analysis.detection import POWER, Detectable
from lcl_lab.analysis.draws import PERMUTATIONS
from lcl_lab.analysis.intervals import wilson
from lcl_lab.analysis.simultaneous import simultaneous_quantile
from lcl_lab.analysis.stepwise import cluster_sums, simultaneous_intervals
from lcl_lab.errors import UserError

__all__ = [
    "PositionEffects",
    "detectable_drop",
    "factorial_effects",
    "position_drops",
    "positions_differ",
]

_BLOCK = 64  # permutations at once, which stay in the cache of a core
Number = TypeVar("Number", np.float64, np.complex128)


@dataclass(frozen=True)
class PositionEffects:
    """The drop in accuracy caused by a false label, by its position, and whether positions differ.

    Attributes:
        drops: one row per position with the columns position (1 = first), drop, low and high; the 95 % intervals hold
            simultaneously. A drop is positive where a false label hurts.
        accuracy: one at a time: with all labels true; factorial: over all prompts.
        p_value: of the joint test that all positions have the same effect.
        error: root mean square of the standard errors of the drops. Compare designs by it rather than by interval
            widths: near 0 these are wider than the errors, to a different degree in each design.
        prompts: number of prompts evaluated.
        n: number of queries; each has 1 + K prompts one at a time, and one in the factorial design.
        clusters: number of clusters, such as concept pairs.
    """

    drops: pd.DataFrame
    accuracy: float
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
    interval is that of `simultaneous_intervals`. The joint test is `positions_differ`.

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
    sums = cluster_sums(drop - drop.mean(axis=0), names)
    spread = sums.T @ sums * len(sums) / (len(sums) - 1) / len(drop) ** 2
    intervals = simultaneous_intervals(drop, names, rng, level)
    return PositionEffects(
        drops=_drop_rows(drop.mean(axis=0), *np.transpose(intervals)),
        accuracy=float(right.mean()),
        p_value=positions_differ(drop, names, rng),
        error=float(np.sqrt(np.diag(spread).mean())),
        prompts=right.size + wrong.size,
        n=right.size,
        clusters=len(sums),
    )


def positions_differ(
    drops: ArrayLike, clusters: ArrayLike, rng: np.random.Generator, draws: int = PERMUTATIONS
) -> float:
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
    sums = cluster_sums(np.asarray(drops, float), np.asarray(clusters))
    exchanged = _exchange_positions(sums, rng, draws)
    return _permutation_p(sums.sum(axis=0).var(), exchanged.var(axis=1))


def detectable_drop(effects: PositionEffects, level: float = 0.05) -> Detectable:
    """How much more a false label must cost at one position than at all others for the joint test to show it.

    The sum of squared deviations of the K mean drops from their mean, over the squared standard error e² of a drop, is
    taken as noncentral χ² with K − 1 degrees of freedom. An excess d at one position has the noncentrality
    d²·(K − 1)/(K·e²). The number of clusters supposes the observed deviations, less what chance adds to them.

    Args:
        effects: the drops, with their standard error.
        level: significance level of the test.
    """
    drops = effects.drops["drop"].to_numpy(float)
    freedom = len(drops) - 1
    threshold = float(stats.chi2.isf(level, freedom))
    target = float(optimize.brentq(lambda x: stats.ncx2.sf(threshold, freedom, x) - POWER, 1e-6, 1e4))
    # Without any change the standard error is not 0: a share of clusters may differ of which none was drawn.
    error = effects.error or wilson(0, effects.clusters)[1] / float(stats.norm.isf(0.025))
    observed = float(((drops - drops.mean()) ** 2).sum()) / error**2 - freedom
    factor = target / observed if observed > 0 else np.inf
    needed = max(int(np.ceil(effects.clusters * factor)), effects.clusters + 1) if factor <= 1000 else None
    return Detectable(error * float(np.sqrt(target * len(drops) / freedom)), needed)


def factorial_effects(
    flips: ArrayLike, correct: ArrayLike, clusters: ArrayLike, rng: np.random.Generator, level: float = 0.95
) -> PositionEffects:
    """Effects of each position in the randomised factorial design, averaged over the flips at the other positions.

    The drop at position k is the accuracy of the prompts whose label k is true minus that of the prompts whose label k
    is false. Flips are drawn independently, so this estimates the average effect of a false label k over the design's
    distribution of the other labels, however the model combines them (Hainmueller et al. 2014; Dasgupta et al. 2015).
    It is the effect at the design's share of false labels. Where labels interact, as in a majority vote, the effect of
    a single false label differs.

    Intervals combine Clopper and Pearson's limits of the two accuracies by MOVER for correlated estimates (Zou and
    Donner 2008). The limits are at the quantile of the largest of K correlated t statistics, on N / deff prompts with
    the design effect deff = max(1, variance between clusters / (m(1 − m)/N)) of the accuracy m (Korn and Graubard
    1998). With many errors and successes they are those of the cluster-robust standard error; with few, that one is
    too small.

    The joint test permutes the positions of the flips within clusters, as `positions_differ`. It is exact for models
    to which positions do not matter, whether or not labels interact.

    Coverage at level 0.95 in simulations of 50 clusters with 8 or 16 positions, for models whose log-odds are additive
    and for majority votes: 94 to 98 %; near 100 % if hardly any answer is wrong.

    Args:
        flips: (N, K) whether the label at each position is false.
        correct: (N,) zeros and ones.
        clusters: (N,) the cluster of each prompt.
        rng: draws the simulations and permutations.
        level: simultaneous coverage of the intervals.

    Raises:
        UserError: fewer than two positions or clusters, or a position whose label is false, or true, in every prompt.
    """
    false, answers, names = np.asarray(flips, float), np.asarray(correct, float), np.asarray(clusters)
    if false.ndim != 2 or false.shape[1] < 2 or len(np.unique(names)) < 2:
        raise UserError("position effects need at least two positions and two clusters")
    if (false.mean(axis=0) % 1 == 0).any():
        position = int(np.flatnonzero(false.mean(axis=0) % 1 == 0)[0]) + 1
        raise UserError(f"the label at position {position} is the same in every prompt; more prompts are needed")
    where_true = _Accuracies(cluster_sums(1 - false, names), cluster_sums((1 - false) * answers[:, None], names))
    where_false = _Accuracies(cluster_sums(false, names), cluster_sums(false * answers[:, None], names))
    count = len(where_true.prompts)
    deviations = where_true.deviations - where_false.deviations
    spread = deviations.T @ deviations * count / (count - 1)
    quantile = simultaneous_quantile(spread, count - 1, rng, level)
    return PositionEffects(
        drops=_drop_rows(where_true.mean - where_false.mean, *_mover(where_true, where_false, quantile)),
        accuracy=float(answers.mean()),
        p_value=_flips_differ(where_true, where_false, rng),
        error=float(np.sqrt(np.diag(spread).mean())),
        prompts=len(answers),
        n=len(answers),
        clusters=count,
    )


def _drop_rows(drop: ArrayLike, low: ArrayLike, high: ArrayLike) -> pd.DataFrame:
    """(K,) drops and the ends of their intervals as the rows of `PositionEffects.drops`."""
    columns = {"drop": np.asarray(drop), "low": np.maximum(low, -1.0), "high": np.minimum(high, 1.0)}
    return pd.DataFrame({"position": np.arange(1, len(columns["drop"]) + 1), **columns})


@dataclass(frozen=True)
class _Accuracies:
    """(C, K) prompts and right answers of each cluster, of the prompts whose label k is true, or is false."""

    prompts: NDArray[np.float64]
    right: NDArray[np.float64]

    @property
    def total(self) -> NDArray[np.float64]:
        return self.prompts.sum(axis=0)

    @property
    def mean(self) -> NDArray[np.float64]:
        return self.right.sum(axis=0) / self.total

    @property
    def deviations(self) -> NDArray[np.float64]:
        """(C, K) what each cluster contributes to the deviation of the mean; their squares add up to its variance."""
        return (self.right - self.mean * self.prompts) / self.total

    def limits(self, quantile: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Clopper and Pearson's limits on the effective number of prompts, at a quantile of the normal distribution."""
        clusters = len(self.prompts)
        between = (self.deviations**2).sum(axis=0) * clusters / (clusters - 1)
        independent = self.mean * (1 - self.mean) / self.total
        varies = independent > 0
        effect = np.maximum(1.0, between / np.where(varies, independent, 1.0))
        size = self.total / np.where(varies, effect, 1.0)
        low, high = proportion_confint(self.mean * size, size, alpha=2 * stats.norm.sf(quantile), method="beta")
        return np.where(self.mean == 0, 0.0, low), np.where(self.mean == 1, 1.0, high)


def _mover(true: _Accuracies, false: _Accuracies, quantile: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Limits of the (K,) differences of two correlated accuracies from the limits of each (Zou and Donner 2008)."""
    squares = (true.deviations**2).sum(axis=0) * (false.deviations**2).sum(axis=0)
    products = (true.deviations * false.deviations).sum(axis=0)
    correlation = np.divide(products, np.sqrt(squares), out=np.zeros_like(products), where=squares > 0)
    (true_low, true_high), (false_low, false_high) = true.limits(quantile), false.limits(quantile)

    def combined(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.sqrt(np.maximum(one**2 + other**2 - 2 * correlation * one * other, 0.0))

    drop = true.mean - false.mean
    low = drop - combined(true.mean - true_low, false_high - false.mean)
    return low, drop + combined(true_high - true.mean, false.mean - false_low)


def _flips_differ(true: _Accuracies, false: _Accuracies, rng: np.random.Generator, draws: int = PERMUTATIONS) -> float:
    """Permutation test of the variance of the K drops; positions are permuted within clusters."""
    prompts, right = true.total + false.total, true.right.sum(axis=0) + false.right.sum(axis=0)
    exchanged = _exchange_positions(false.prompts + 1j * false.right, rng, draws)  # both in the same way
    flipped, flipped_right = exchanged.real, exchanged.imag
    with np.errstate(invalid="ignore"):  # few prompts: a permutation may leave a position without true or false labels
        drops = (right - flipped_right) / (prompts - flipped) - flipped_right / flipped
    return _permutation_p((true.mean - false.mean).var(), drops.var(axis=1))


def _exchange_positions(sums: NDArray[Number], rng: np.random.Generator, draws: int) -> NDArray[Number]:
    """The (draws, K) totals of (C, K) sums whose columns are permuted in each row."""
    places = np.arange(sums.size).reshape(sums.shape)
    counts = [min(_BLOCK, draws - first) for first in range(0, draws, _BLOCK)]
    orders = (rng.permuted(np.broadcast_to(places, (count, *sums.shape)), axis=2) for count in counts)
    return np.concatenate([sums.ravel().take(order).sum(axis=1) for order in orders])


def _permutation_p(observed: float, permuted: NDArray[np.float64]) -> float:
    # Rounding must not make a permutation less extreme than the observed order to which it is equivalent. One whose
    # statistic is not defined counts as extreme.
    return float((1 + (~(permuted < observed - 1e-9)).sum()) / (1 + len(permuted)))
