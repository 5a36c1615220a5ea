"""Sample size by simulation: the queries, concept pairs and trainings needed to detect a difference.

Between two conditions or checkpoints, a query is a gain, a loss, or neither, depending on the value of a normal
variable that queries of a pair share in part; that share is set so that their correlation is the given one. Each study
is tested by `cluster_mcnemar`, as a real one is.

Between two strategies with R trainings each, studies differ also in the accuracy of the trainings. Each study is tested
by the rule of `difference_of_strategies`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import optimize, stats

from lcl_lab.analysis.intervals import wilson
from lcl_lab.analysis.sign_flip import mcnemar_of_sums
from lcl_lab.analysis.strategy_difference import VarianceParts
from lcl_lab.errors import UserError

__all__ = [
    "Clustering",
    "observed_clustering",
    "pairs_needed",
    "power",
    "power_curve",
    "strategy_pairs_needed",
    "strategy_power",
]

_MOST_PAIRS = 4096


@dataclass(frozen=True)
class Clustering:
    """How paired differences are distributed over concept pairs.

    Attributes:
        changed: share of queries that are a gain or a loss.
        correlation: intraclass correlation of differences within a concept pair, 0 to 1.
    """

    changed: float
    correlation: float


def observed_clustering(difference: ArrayLike, clusters: ArrayLike) -> Clustering:
    """Estimate the clustering of the differences in a finished study.

    The correlation is the one-way analysis-of-variance estimate (MS_B − MS_W)/(MS_B + (m − 1)·MS_W), at least 0, with
    m the mean number of queries per cluster corrected for unequal sizes.

    Args:
        difference: (N,) values in {−1, 0, 1}: outcome under b minus outcome under a.
        clusters: (N,) the concept pair of each query.

    Raises:
        UserError: fewer than two clusters, or one query in each, which does not show their correlation.
    """
    values, names = np.asarray(difference, float), np.unique(np.asarray(clusters), return_inverse=True)[1]
    sizes = np.bincount(names)
    if len(sizes) < 2 or sizes.max() < 2:
        raise UserError("the correlation within concept pairs needs at least two pairs with two queries each")
    means = np.bincount(names, values) / sizes
    between = float((sizes * (means - values.mean()) ** 2).sum()) / (len(sizes) - 1)
    within = float(((values - means[names]) ** 2).sum()) / (len(values) - len(sizes))
    size = (len(values) - float((sizes**2).sum()) / len(values)) / (len(sizes) - 1)
    total = between + (size - 1) * within
    correlation = max(0.0, (between - within) / total) if total > 0 else 0.0
    return Clustering(float((values != 0).mean()), correlation)


def power(
    difference: float,
    clustering: Clustering,
    pairs: int,
    each: int,
    rng: np.random.Generator,
    studies: int = 400,
    level: float = 0.05,
) -> float:
    """The probability that a study detects a difference in accuracy, by simulation.

    Args:
        difference: accuracy under b minus accuracy under a.
        clustering: of the paired differences.
        pairs: number of concept pairs.
        each: queries per concept pair.
        rng: draws the studies.
        studies: number of simulated studies.
        level: significance level of the test.

    Raises:
        UserError: the difference is larger than the share of changed queries allows.
    """
    shared, gain, loss = _latent(difference, clustering)
    common = rng.standard_normal((studies, pairs, 1)) * np.sqrt(shared)
    separate = rng.standard_normal((studies, pairs, each)) * np.sqrt(1 - shared)
    outcomes = (common + separate > gain).astype(int) - (common + separate < loss)
    sums = outcomes.sum(axis=2)
    return float((mcnemar_of_sums(sums) <= level).mean())


def pairs_needed(
    difference: float, clustering: Clustering, each: int, rng: np.random.Generator, target: float = 0.8
) -> int | None:
    """The smallest number of concept pairs with which a study reaches a given power.

    Args:
        difference: accuracy under b minus accuracy under a.
        clustering: of the paired differences.
        each: queries per concept pair.
        rng: draws the studies.
        target: the power to reach, 0 to 1.

    Returns:
        The number of pairs, to within a tenth; None if more than 4,096 are needed.

    Raises:
        UserError: as `power`.
    """
    return _fewest_pairs(lambda pairs: power(difference, clustering, pairs, each, rng), target)


def strategy_power(
    difference: float,
    clustering: Clustering,
    trainings: int,
    deviation: float,
    pairs: int,
    each: int,
    rng: np.random.Generator,
    studies: int = 4000,
    level: float = 0.05,
) -> float:
    """The probability that a study detects a difference between strategies, by simulation.

    Accuracies of trainings are normal around that of their strategy. `clustering` is that of two trainings, one of each
    strategy: the part of the variance of their differences that queries of a pair share, given by the correlation, is
    of the strategies, and the rest differs from training to training, so that two trainings of one strategy disagree
    about as much as those of two strategies do. Means over a pair's queries are taken as normal; each study then
    depends on its mean squares alone, whose distributions are drawn from (Searle et al. 1992).

    Args:
        difference: accuracy of strategy b minus accuracy of strategy a.
        clustering: of the paired differences between two trainings.
        trainings: trainings of each strategy.
        deviation: standard deviation of the accuracy between trainings of one strategy.
        pairs: number of concept pairs.
        each: queries per concept pair.
        rng: draws the studies.
        studies: number of simulated studies.
        level: significance level of the test.

    Raises:
        UserError: fewer than two trainings or pairs, a negative deviation, or as `power`.
    """
    if trainings < 2 or pairs < 2:
        raise UserError("strategies are compared by at least two trainings of each on at least two concept pairs")
    if deviation < 0:
        raise UserError("must be at least 0", option="deviation", value=deviation)
    _gains_and_losses(difference, clustering)
    variance = clustering.changed - difference**2
    shared = clustering.correlation * variance / pairs
    noise = (1 - clustering.correlation) * variance / 2 / (each * pairs * trainings)  # of each side's mean
    of_trainings = deviation**2 / trainings

    def mean_square(expected: float, freedom: int) -> NDArray[np.float64]:
        return expected * rng.chisquare(freedom, studies) / freedom

    residual = (trainings - 1) * (pairs - 1)
    parts = VarianceParts(
        trainings=(
            mean_square(of_trainings + noise, trainings - 1),
            mean_square(of_trainings + noise, trainings - 1),
        ),
        noise=(mean_square(noise, residual), mean_square(noise, residual)),
        pairs=mean_square(shared + 2 * noise, pairs - 1),
        counts=(trainings, trainings),
        clusters=pairs,
        pair_freedom=float(pairs - 1),
    )
    estimates = rng.normal(difference, (2 * of_trainings + shared + 2 * noise) ** 0.5, studies)
    p_values = 2 * stats.t.sf(np.abs(estimates) / np.sqrt(parts.variance), parts.freedom)
    return float((p_values <= level).mean())


def strategy_pairs_needed(
    difference: float,
    clustering: Clustering,
    trainings: int,
    deviation: float,
    each: int,
    rng: np.random.Generator,
    target: float = 0.8,
) -> int | None:
    """The smallest number of concept pairs with which a study of two strategies reaches a given power.

    Args:
        difference: accuracy of strategy b minus accuracy of strategy a.
        clustering: of the paired differences between two trainings.
        trainings: trainings of each strategy.
        deviation: standard deviation of the accuracy between trainings of one strategy.
        each: queries per concept pair.
        rng: draws the studies.
        target: the power to reach, 0 to 1.

    Returns:
        The number of pairs, to within a tenth; None if more than 4,096 are needed, or if no number suffices because so
        few trainings differ too much.

    Raises:
        UserError: as `strategy_power`.
    """

    def reached(pairs: int) -> float:
        return strategy_power(difference, clustering, trainings, deviation, pairs, each, rng)

    return _fewest_pairs(reached, target)


def power_curve(
    power_of: Callable[[int], float], pairs: Sequence[int], studies: int, flat: float = 0.99
) -> pd.DataFrame:
    """The power over numbers of concept pairs, with the error of the simulation.

    Args:
        power_of: the simulated power with a number of pairs.
        pairs: the numbers, in rising order.
        studies: simulated studies per number.
        flat: the curve ends at the first number that reaches this power.

    Returns:
        One row per number, with the columns pairs, estimate, and low and high, Wilson's limits of the simulation.
    """
    rows = []
    for count in pairs:
        estimate = power_of(count)
        low, high = wilson(round(estimate * studies), studies)
        rows.append({"pairs": count, "estimate": estimate, "low": low, "high": high})
        if estimate >= flat:
            break
    return pd.DataFrame(rows)


def _fewest_pairs(power_of: Callable[[int], float], target: float) -> int | None:
    """The fewest concept pairs with a power of at least `target`, by doubling and then halving the gap."""
    low, high = 1, 4
    while power_of(high) < target:
        low, high = high, 2 * high
        if high > _MOST_PAIRS:
            return None
    while high - low > max(1, high // 10):
        middle = (low + high) // 2
        if power_of(middle) < target:
            low = middle
        else:
            high = middle
    return high


def _gains_and_losses(difference: float, clustering: Clustering) -> tuple[float, float]:
    """The shares of gains and of losses."""
    gains, losses = (clustering.changed + difference) / 2, (clustering.changed - difference) / 2
    if not (losses >= 0 and gains >= 0 and gains + losses <= 1):
        raise UserError(
            f"a difference of {difference:+.3f} needs more changed queries than {clustering.changed:.1%}; "
            f"at least {abs(difference):.1%} must change"
        )
    return gains, losses


def _latent(difference: float, clustering: Clustering) -> tuple[float, float, float]:
    """The part of the normal variable's variance that queries of a pair share, and the thresholds of gain and loss."""
    gains, losses = _gains_and_losses(difference, clustering)
    gain, loss = float(stats.norm.isf(gains)), float(stats.norm.ppf(losses))
    if clustering.correlation == 0:
        return 0.0, gain, loss
    most = 0.999
    gap = _correlation(most, gain, loss) - clustering.correlation
    shared = (
        most
        if gap <= 0
        else float(optimize.brentq(lambda s: _correlation(s, gain, loss) - clustering.correlation, 0, most))
    )
    return shared, gain, loss


def _correlation(shared: float, gain: float, loss: float) -> float:
    """The correlation of two differences of a pair whose normal variables share the variance `shared`."""
    points, weights = np.polynomial.hermite_e.hermegauss(61)
    weights = weights / weights.sum()
    spread = np.sqrt(max(1 - shared, 1e-9))
    at: NDArray[np.float64] = np.sqrt(shared) * points
    up, down = stats.norm.sf((gain - at) / spread), stats.norm.cdf((loss - at) / spread)
    mean = float(weights @ (up - down))
    return (float(weights @ (up - down) ** 2) - mean**2) / (float(weights @ (up + down)) - mean**2)
