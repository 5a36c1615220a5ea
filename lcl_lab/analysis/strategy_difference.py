"""The difference between two training strategies, each known by several trainings that differ in their random seed.

Two trainings of one strategy differ too, so a claim about strategies must hold for new trainings as well as for new
concept pairs. Trainings and concept pairs are therefore crossed random factors (Searle et al. 1992).

Letters: R trainings, N queries, C clusters (concept pairs).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize, stats

from lcl_lab.analysis.intervals import wilson
from lcl_lab.errors import UserError

__all__ = ["StrategyDifference", "VarianceParts", "change_of_strategy", "difference_of_strategies"]

_ROUNDING = 1e-24  # a variance below it comes from rounding alone
_Number = float | NDArray[np.float64]


@dataclass(frozen=True)
class StrategyDifference:
    """A difference in accuracy that generalises to new trainings and new concept pairs.

    Attributes:
        estimate: accuracy_b − accuracy_a.
        low: lower end of the 95 % interval.
        high: upper end of the interval.
        p_value: of the t test that the difference is 0.
        accuracy_a: accuracy of side a, the mean over its trainings.
        accuracy_b: accuracy of side b.
        trainings_a: number of trainings of side a.
        trainings_b: number of trainings of side b.
        n: number of queries.
        clusters: number of concept pairs.
    """

    estimate: float
    low: float
    high: float
    p_value: float
    accuracy_a: float
    accuracy_b: float
    trainings_a: int
    trainings_b: int
    n: int
    clusters: int


@dataclass(frozen=True)
class VarianceParts:
    """Mean squares that make up the variance of a difference between strategies, scaled to variances of the estimate.

    Each may be an array, one value per study.

    Attributes:
        trainings: of each side: the variance of the accuracies of its trainings, divided by R.
        noise: of each side: the part of `trainings` that is due to so few concept pairs.
        pairs: the variance of a mean over concept pairs of the differences between the means over trainings.
        counts: of each side: R.
        clusters: C.
        pair_freedom: degrees of freedom of `pairs`.
    """

    trainings: tuple[_Number, _Number]
    noise: tuple[_Number, _Number]
    pairs: _Number
    counts: tuple[int, int]
    clusters: int
    pair_freedom: _Number

    @property
    def variance(self) -> NDArray[np.float64]:
        """Trainings + pairs − noise, which both contain; at least the larger of the two."""
        between = sum(self.trainings)
        return np.maximum(between + self.pairs - sum(self.noise), np.maximum(between, self.pairs))

    @property
    def freedom(self) -> NDArray[np.float64]:
        """Satterthwaite's (1946) degrees of freedom of the variance, at least 1.

        Those of both sides' trainings together are at most as many as sides of equal variance have: Satterthwaite's
        are too many if the side with fewer trainings seems to vary less by chance.
        """
        per_side = [square**2 / (count - 1) for square, count in zip(self.trainings, self.counts, strict=True)]
        of_noise = [
            square**2 / ((count - 1) * (self.clusters - 1))
            for square, count in zip(self.noise, self.counts, strict=True)
        ]
        equal = sum(1 / count for count in self.counts) ** 2 / sum(
            1 / (count**2 * (count - 1)) for count in self.counts
        )
        of_trainings = np.maximum(sum(per_side), sum(self.trainings) ** 2 / equal)
        uncertainty = of_trainings + self.pairs**2 / self.pair_freedom + sum(of_noise)
        return np.maximum(1.0, self.variance**2 / np.maximum(uncertainty, np.finfo(float).tiny))


def difference_of_strategies(
    a: ArrayLike, b: ArrayLike, clusters: ArrayLike, level: float = 0.95
) -> StrategyDifference:
    """The accuracy of strategy b minus that of strategy a, from several trainings of each on the same queries.

    The variance of the difference is S_a/R_a + S_b/R_b + P − E: S is the variance of the accuracies of a side's
    trainings, P the variance between concept pairs of the differences between the means over trainings, and E the
    residual that S and P both contain; at least the larger of the trainings' and the pairs' part. Interval and test
    are Student's with Satterthwaite's (1946) degrees of freedom, those of P by the kurtosis of the pairs (see
    `effective_size`). If no difference varies, the interval reaches as far as Wilson's for a share of 0 in C trials.

    Coverage at level 0.95 in simulations of 2, 3 or 5 trainings per side, 10 to 50 concept pairs and a standard
    deviation between trainings of 0 to 0.06: 94 to 100 %, above 97 % where the trainings hardly differ. If one strategy
    varies between trainings and the other does not, 2 trainings per side may cover only 87 %, 3 only 92 %. If one
    strategy is right in 98 % of cases or more and its few errors share a few pairs, coverage can fall to 89 %.

    Args:
        a: (R_a, N) outcomes, 0 to 1, of the trainings of strategy a.
        b: (R_b, N) outcomes of the trainings of strategy b on the same queries.
        clusters: (N,) the concept pair of each query.
        level: coverage of the interval.

    Raises:
        UserError: fewer than two trainings of a side or two clusters, sides with different queries, or an outcome that
            is missing or not between 0 and 1.
    """
    sides = tuple(_outcomes(side) for side in (a, b))
    groups = _groups(clusters, sides)
    parts, estimate = _parts(sides, groups)
    quantile = float(stats.t.ppf((1 + level) / 2, parts.freedom))
    error = float(parts.variance) ** 0.5
    if parts.variance < _ROUNDING:
        error = _resolution(groups, level) / quantile
    p_value = float(2 * stats.t.sf(abs(estimate) / error, parts.freedom))
    return _difference(sides, groups, quantile * error, p_value)


def change_of_strategy(a: ArrayLike, b: ArrayLike, clusters: ArrayLike, level: float = 0.95) -> StrategyDifference:
    """The accuracy of a strategy under condition b minus that under condition a, from trainings evaluated under both.

    The variance of the change is S/R + P − E as in `difference_of_strategies`, with the changes of each training as
    outcomes. Since a single set of trainings has few degrees of freedom, the quantile is Cochran and Cox's (1957,
    section 4.14): the mean of Student's quantiles of trainings and of pairs, weighted by their parts of the variance.
    Satterthwaite's would cover as little as 88 % with two trainings.

    Args:
        a: (R, N) outcomes, 0 to 1, of the trainings under condition a.
        b: (R, N) outcomes of the same trainings, in the same order, under condition b.
        clusters: (N,) the concept pair of each query.
        level: coverage of the interval.

    Raises:
        UserError: as `difference_of_strategies`, or the sides differ in their number of trainings.
    """
    sides = tuple(_outcomes(side) for side in (a, b))
    if len(sides[0]) != len(sides[1]):
        raise UserError(f"a change needs the same trainings on both sides, not {len(sides[0])} and {len(sides[1])}")
    groups = _groups(clusters, sides)
    changes = sides[1] - sides[0]
    between, noise = _training_variance(changes, groups)
    pairs, pair_freedom = _pair_variance(changes.mean(axis=0), groups)
    variance = max(between + pairs - noise, between, pairs)
    freedoms = [len(changes) - 1, pair_freedom]
    weights = [between, pairs] if variance >= _ROUNDING else [1, 0]

    def quantile(tail: float) -> float:
        return float(np.average(stats.t.isf(tail, freedoms), weights=weights))

    error = variance**0.5 if variance >= _ROUNDING else _resolution(groups, level) / quantile((1 - level) / 2)
    statistic = abs(float(changes.mean())) / error
    tail = optimize.brentq(lambda tail: quantile(tail) - statistic, 1e-12, 0.5) if quantile(1e-12) > statistic else 0.0
    return _difference(sides, groups, quantile((1 - level) / 2) * error, 2 * tail)


def _outcomes(values: ArrayLike) -> NDArray[np.float64]:
    """The outcomes of one side as a table of trainings by queries."""
    table = np.asarray(values, float)
    if table.ndim != 2 or len(table) < 2:
        raise UserError(
            f"a claim about a strategy needs at least two trainings of it; the outcomes have shape {table.shape}"
        )
    if not ((table >= 0) & (table <= 1)).all():
        raise UserError("the outcomes of trainings must lie between 0 and 1, and none may be missing")
    return table


def _groups(clusters: ArrayLike, sides: tuple[NDArray[np.float64], ...]) -> NDArray[np.intp]:
    """The clusters of the queries as numbers from 0."""
    groups = np.unique(np.asarray(clusters), return_inverse=True)[1]
    lengths = {len(groups), *(side.shape[1] for side in sides)}
    if len(lengths) > 1:
        raise UserError(f"both sides need the same queries, each with its cluster; there are {sorted(lengths)}")
    if groups.max(initial=0) < 1:
        raise UserError("a difference between strategies needs at least two clusters")
    return groups


def _parts(sides: tuple[NDArray[np.float64], ...], groups: NDArray[np.intp]) -> tuple[VarianceParts, float]:
    (trainings_a, noise_a), (trainings_b, noise_b) = (_training_variance(side, groups) for side in sides)
    difference = sides[1].mean(axis=0) - sides[0].mean(axis=0)
    pairs, pair_freedom = _pair_variance(difference, groups)
    counts = (len(sides[0]), len(sides[1]))
    clusters = int(groups.max()) + 1
    parts = VarianceParts((trainings_a, trainings_b), (noise_a, noise_b), pairs, counts, clusters, pair_freedom)
    return parts, float(difference.mean())


def _training_variance(table: NDArray[np.float64], groups: NDArray[np.intp]) -> tuple[float, float]:
    """The variance of a mean over trainings, and the part of it that is due to so few concept pairs."""
    count, size = table.shape
    clusters = int(groups.max()) + 1
    deviations = table - table.mean(axis=0)
    accuracies = deviations.mean(axis=1, keepdims=True)
    residuals = np.stack([np.bincount(groups, row) for row in deviations - accuracies])
    between = float((accuracies**2).sum()) / (count - 1) / count
    noise = float((residuals**2).sum()) / (count - 1) / count * clusters / (clusters - 1) / size**2
    return between, noise


def _pair_variance(difference: NDArray[np.float64], groups: NDArray[np.intp]) -> tuple[float, float]:
    """The variance of the mean between concept pairs, and the degrees of freedom that their kurtosis supports."""
    clusters = int(groups.max()) + 1
    residuals = np.bincount(groups, difference - difference.mean())
    spread = float((residuals**2).sum())
    variance = spread / len(difference) ** 2 * clusters / (clusters - 1)
    if variance < _ROUNDING:
        return 0.0, float(clusters - 1)
    kurtosis = clusters * float((residuals**4).sum()) / spread**2
    return variance, min(clusters - 1, 2 * clusters / max(kurtosis - 1, 1e-9))


def _resolution(groups: NDArray[np.intp], level: float) -> float:
    """The share of concept pairs that may differ although none of them did."""
    return wilson(0, int(groups.max()) + 1, level)[1]


def _difference(
    sides: tuple[NDArray[np.float64], ...], groups: NDArray[np.intp], reach: float, p_value: float
) -> StrategyDifference:
    accuracy_a, accuracy_b = (float(side.mean()) for side in sides)
    estimate = accuracy_b - accuracy_a
    return StrategyDifference(
        estimate=estimate,
        low=max(-1.0, estimate - reach),
        high=min(1.0, estimate + reach),
        p_value=min(1.0, p_value),
        accuracy_a=accuracy_a,
        accuracy_b=accuracy_b,
        trainings_a=len(sides[0]),
        trainings_b=len(sides[1]),
        n=len(groups),
        clusters=int(groups.max()) + 1,
    )
