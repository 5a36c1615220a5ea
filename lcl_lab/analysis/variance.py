"""Sources of variance: seeds and queries; the order of a support, and which support was drawn.

Every standard deviation has an interval, and those of 0/1 outcomes and of accuracies never have width 0: a table in
which nothing varies still bounds a deviation by the resolution of its size.

Letters: R repetitions (seeds, or orders of one support), S draws of a support, Q queries, C clusters; MS mean squares.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from lcl_lab.analysis.intervals import wilson
from lcl_lab.errors import UserError

__all__ = ["Components", "OrderAndDraw", "Seeds", "components", "order_and_draw", "seeds"]

_ROUNDING = 1e-24  # a square below it, relative to the values, comes from rounding alone


@dataclass(frozen=True)
class Components:
    """Variances of a table of repetitions by queries, with intervals.

    Negative estimates, which chance can produce, are set to 0.

    Attributes:
        repetition: between repetitions, beyond the variance of a mean of so few queries.
        repetition_low: lower end of its interval.
        repetition_high: upper end of its interval.
        query: between queries.
        query_low: lower end of its interval.
        query_high: upper end of its interval.
        rest: residual.
        rest_low: lower end of its interval.
        rest_high: upper end of its interval.
    """

    repetition: float
    repetition_low: float
    repetition_high: float
    query: float
    query_low: float
    query_high: float
    rest: float
    rest_low: float
    rest_high: float


def components(values: ArrayLike, level: float = 0.95) -> Components:
    """Variance components by the two-way analysis of variance with random effects (Searle et al. 1992).

    With mean squares MS of repetitions, queries and the rest: repetition = (MS_R − MS_E)/Q, query = (MS_Q − MS_E)/R,
    rest = MS_E. The interval of the rest is (R − 1)(Q − 1)·MS_E over quantiles of χ²; those of the other two are
    Williams' (1962), see `component_interval`. They suppose normal effects and do not depend on the unit of the
    values.

    Args:
        values: (R, Q) outcomes.
        level: coverage of each interval.

    Returns:
        The variances. The upper ends are 0 where all outcomes are equal, since such a table does not show the unit.

    Raises:
        UserError: fewer than two repetitions or queries, or a missing value.
    """
    table = _table(values)
    rows, columns = table.shape
    by_repetition, by_query, rest = _mean_squares(table).tolist()
    freedom = (rows - 1) * (columns - 1)
    repetition_low, repetition_high = component_interval(by_repetition, rows - 1, rest, freedom, columns, level)
    query_low, query_high = component_interval(by_query, columns - 1, rest, freedom, rows, level)
    rest_low, rest_high = (
        freedom * rest / float(stats.chi2.ppf(tail, freedom)) for tail in ((1 + level) / 2, (1 - level) / 2)
    )
    return Components(
        repetition=max(0.0, (by_repetition - rest) / columns),
        repetition_low=repetition_low,
        repetition_high=repetition_high,
        query=max(0.0, (by_query - rest) / rows),
        query_low=query_low,
        query_high=query_high,
        rest=rest,
        rest_low=rest_low,
        rest_high=rest_high,
    )


@dataclass(frozen=True)
class Seeds:
    """A mean accuracy over seeds, with an interval that generalises to new seeds and new queries.

    Attributes:
        mean: over seeds and queries.
        low: lower end of the 95 % interval.
        high: upper end of the interval.
        between_seeds: standard deviation of a seed's accuracy, beyond that of so few queries.
        between_seeds_low: lower end of its interval.
        between_seeds_high: upper end of its interval; above 0.
        between_queries: standard deviation of one outcome within a seed.
        between_queries_low: lower end of its interval.
        between_queries_high: upper end of its interval; above 0.
        n: number of seeds.
        clusters: number of queries, or of concept pairs where the values are means over pairs.
    """

    mean: float
    low: float
    high: float
    between_seeds: float
    between_seeds_low: float
    between_seeds_high: float
    between_queries: float
    between_queries_low: float
    between_queries_high: float
    n: int
    clusters: int


def seeds(values: ArrayLike, level: float = 0.95) -> Seeds:
    """The mean accuracy over seeds, with crossed random effects of seeds and queries.

    The variance v of the mean m is (MS_R + MS_Q − MS_E)/(R·Q), at least max(MS_R, MS_Q)/(R·Q). Its quantile t is
    Cochran and Cox's (1957, section 4.14): the mean of Student's quantiles with R − 1 and Q − 1 degrees of freedom,
    weighted by MS_R and MS_Q. The interval is Wilson's with as many trials as have that variance, m(1 − m)/v · (z/t)²
    (in the way of Korn and Graubard 1998), which stays within 0 and 1; with Q trials if no outcome differs from m.

    The interval of the deviation between seeds is Williams' (1962), see `component_interval`. If all seeds agree on
    every query, the upper end is Wilson's limit for a share of 0 in Q trials: a seed that differs from the others on a
    larger share of queries would have shown. The interval of the deviation between queries is Wilson's on the mean
    squared deviation, see `_share_interval`.

    Coverage at level 0.95 in simulations of 2 to 5 seeds, 10 to 50 concept pairs and means of 0.6 to 0.99: 94 to 100 %
    for the mean, 96 to 100 % for the deviation between seeds; most with two seeds, without deviation between seeds, or
    where hardly any answer is wrong. Two seeds say little about new ones: the intervals are then wide. The deviation
    between seeds supposes that their accuracies are normal; where they are strongly skewed, coverage can fall to 80 %.

    Args:
        values: (R, Q) outcomes, 0 to 1, of R seeds on the same Q queries, or their means over Q concept pairs where
            queries cluster.
        level: coverage of the intervals.

    Raises:
        UserError: as `components`, or a value outside 0 and 1.
    """
    table = _table(values)
    if table.min() < 0 or table.max() > 1:
        raise UserError("the outcomes of seeds must lie between 0 and 1")
    parts = components(table, level)
    rows, columns = table.shape
    low, high = _interval_over_seeds(table, level)
    between_seeds_high = parts.repetition_high**0.5 or wilson(0, columns, level)[1]
    squares = ((table - table.mean(axis=1, keepdims=True)) ** 2).mean(axis=0) * columns / (columns - 1)
    within_low, within_high = _share_interval(squares, np.arange(columns), level)
    return Seeds(
        mean=float(table.mean()),
        low=low,
        high=high,
        between_seeds=parts.repetition**0.5,
        between_seeds_low=parts.repetition_low**0.5,
        between_seeds_high=between_seeds_high,
        between_queries=float(squares.mean()) ** 0.5,
        between_queries_low=within_low**0.5,
        between_queries_high=within_high**0.5,
        n=rows,
        clusters=columns,
    )


@dataclass(frozen=True)
class OrderAndDraw:
    """Standard deviations of a query's outcome over orders and over draws of its support, with 95 % intervals.

    Attributes:
        order: standard deviation over orders of one support.
        order_low: lower end of its interval.
        order_high: upper end of its interval.
        draw: standard deviation over draws of a support, each in its own order.
        draw_low: lower end of its interval.
        draw_high: upper end of its interval.
        share: variance over orders divided by variance over draws; may exceed 1 by chance.
        share_low: lower end of its interval.
        share_high: upper end of its interval.
        n: number of queries.
        clusters: number of concept pairs.
    """

    order: float
    order_low: float
    order_high: float
    draw: float
    draw_low: float
    draw_high: float
    share: float
    share_low: float
    share_high: float
    n: int
    clusters: int


def order_and_draw(orders: ArrayLike, draws: ArrayLike, clusters: ArrayLike, level: float = 0.95) -> OrderAndDraw:
    """Variance of a query's outcome due to the order of its support, and due to the draw of the support.

    Variances are within queries, averaged over them. For outcomes of 0 and 1, twice the variance is the probability
    that two orders, or two draws, disagree, and the interval is Wilson's on its effective number of trials (see
    `_share_interval`); it has a width also where no answer ever changes. For other outcomes the interval is Student's
    on the jackknife over clusters (Arvesen 1969), of width 0 where they never change. The interval of the ratio is that
    of the jackknife on its logarithm; nan where changes occur in no more than one cluster.

    Coverage at level 0.95 in simulations of 10 to 50 concept pairs: 94 to 98 % for 0/1 outcomes of which 2 to 65 % of
    queries change, 93 to 97 % for normal outcomes. No interval covers changes that are confined to pairs so rare that
    none of them was drawn.

    Args:
        orders: (Q, R) outcomes under R orders of one support.
        draws: (Q, S) outcomes under S supports of the same pair.
        clusters: (Q,) the concept pair of each query.
        level: coverage of the intervals.

    Raises:
        UserError: fewer than two orders, draws or clusters.
    """
    tables = [np.asarray(values, float) for values in (orders, draws)]
    groups = np.unique(np.asarray(clusters), return_inverse=True)[1]
    count = int(groups.max(initial=-1)) + 1
    if min(table.shape[1] for table in tables) < 2 or count < 2:
        raise UserError("comparing order with draw needs at least two orders, two draws and two clusters")
    of_queries = [table.var(axis=1, ddof=1) for table in tables]
    sums, sizes = np.stack([np.bincount(groups, values) for values in of_queries]), np.bincount(groups)
    variances = sums.sum(axis=1) / sizes.sum()
    without = (sums.sum(axis=1, keepdims=True) - sums) / (sizes.sum() - sizes)
    intervals = [
        disagreement_interval(values, table.shape[1], groups, level)
        if np.isin(table, (0.0, 1.0)).all()
        else _jackknife_interval(float(variance), left_out, level)
        for table, values, variance, left_out in zip(tables, of_queries, variances, without, strict=True)
    ]
    (order_low, order_high), (draw_low, draw_high) = np.sqrt(np.maximum(intervals, 0)).tolist()
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = float(np.log(variances[0]) - np.log(variances[1]))
        ratio_low, ratio_high = _jackknife_interval(ratio, np.log(without[0]) - np.log(without[1]), level)
        share, share_low, share_high = np.exp([ratio, ratio_low, ratio_high]).tolist()
    return OrderAndDraw(
        order=float(variances[0] ** 0.5),
        order_low=order_low,
        order_high=order_high,
        draw=float(variances[1] ** 0.5),
        draw_low=draw_low,
        draw_high=draw_high,
        share=share,
        share_low=share_low,
        share_high=share_high,
        n=len(groups),
        clusters=count,
    )


def _table(values: ArrayLike) -> NDArray[np.float64]:
    """The values as a table of repetitions by queries."""
    table = np.asarray(values, float)
    if table.ndim != 2 or min(table.shape) < 2:
        raise UserError(
            f"variance components need at least two repetitions of two queries; the table has shape {table.shape}"
        )
    if np.isnan(table).any():
        raise UserError("variance components need an outcome of every repetition on every query; one is missing")
    return table


def component_interval(
    square: float, freedom: float, rest: float, rest_freedom: float, size: float, level: float
) -> tuple[float, float]:
    """Interval of a variance (MS − MS_E)/size, after Tukey (1951) and Williams (1962).

    From f·(MS − F_high·MS_E)/(size·χ²_high) to f·(MS − F_low·MS_E)/(size·χ²_low) with quantiles of χ² with f degrees of
    freedom and of F with those of both mean squares; its coverage is at least 2·level − 1 and in practice close to the
    level (Burdick and Graybill 1992, section 3.3). In the upper end MS is at least MS_E, so that a variance estimated
    as 0 has the limit that the noise of its estimate allows.
    """
    upper, lower = (1 + level) / 2, (1 - level) / 2
    scale = freedom / size
    least = square - float(stats.f.ppf(upper, freedom, rest_freedom)) * rest
    most = max(square, rest) - float(stats.f.ppf(lower, freedom, rest_freedom)) * rest
    low = scale * least / float(stats.chi2.ppf(upper, freedom))
    return max(0.0, low), scale * most / float(stats.chi2.ppf(lower, freedom))


def _interval_over_seeds(table: NDArray[np.float64], level: float) -> tuple[float, float]:
    """Interval of the mean of (R, Q) outcomes for new repetitions and new queries; see `seeds`."""
    mean, (rows, columns) = float(table.mean()), table.shape
    by_repetition, by_query, rest = _mean_squares(table).tolist()
    if by_repetition + by_query == 0:
        return wilson(mean * columns, columns, level)
    tail = (1 + level) / 2
    quantiles = stats.t.ppf(tail, [rows - 1, columns - 1])
    quantile = float(np.average(quantiles, weights=[by_repetition, by_query]))
    variance = max(by_repetition + by_query - rest, by_repetition, by_query) / table.size
    trials = mean * (1 - mean) / variance * (float(stats.norm.ppf(tail)) / quantile) ** 2
    return wilson(mean * trials, trials, level)


def disagreement_interval(
    variances: NDArray[np.float64], repetitions: int, clusters: NDArray[np.intp], level: float
) -> tuple[float, float]:
    """Interval of the mean of within-query variances of 0/1 outcomes, as that of a share of their maximum."""
    half = repetitions // 2
    most = half * (repetitions - half) / (repetitions * (repetitions - 1))
    low, high = _share_interval(variances / most, clusters, level)
    return low * most, high * most


def _share_interval(values: NDArray[np.float64], clusters: NDArray[np.intp], level: float) -> tuple[float, float]:
    """Wilson's interval of the mean m of clustered values between 0 and 1, on their effective number of trials.

    m(1 − m)/v · (z/t)² trials have the variance v that the means of the clusters show, where Student's t has the
    degrees of freedom that their kurtosis supports (Satterthwaite; in the way of Korn and Graubard 1998); at least
    N²/Σn_c², as if all values of a cluster agreed, and exactly that if all values do.
    """
    counts = np.bincount(clusters)
    size, count, mean = len(values), len(counts), float(values.mean())
    trials = size**2 / float((counts**2).sum())
    residuals = np.bincount(clusters, values) - mean * counts
    spread = float((residuals**2).sum())
    if spread > _ROUNDING * size**2:
        kurtosis = count * float((residuals**4).sum()) / spread**2
        freedom = min(count - 1, 2 * count / max(kurtosis - 1, 1e-9))
        widening = float(stats.t.ppf((1 + level) / 2, freedom) / stats.norm.ppf((1 + level) / 2))
        variance = spread / size**2 * count / (count - 1)
        trials = max(trials, mean * (1 - mean) / variance / widening**2)
    return wilson(mean * trials, trials, level)


def _jackknife_interval(value: float, without: NDArray[np.float64], level: float) -> tuple[float, float]:
    """Student's interval on the jackknife (Arvesen 1969), from (C,) values that each leave out one cluster."""
    count = len(without)
    error = ((count - 1) / count * float(((without - without.mean()) ** 2).sum())) ** 0.5
    reach = float(stats.t.ppf((1 + level) / 2, count - 1)) * error
    return value - reach, value + reach


def _mean_squares(table: NDArray[np.float64]) -> NDArray[np.float64]:
    """(R, Q) values to the mean squares of repetitions, of queries and of the rest."""
    rows, columns = table.shape
    mean, by_row, by_column = table.mean(), table.mean(axis=1, keepdims=True), table.mean(axis=0, keepdims=True)
    squares = np.array(
        [
            columns * ((by_row - mean) ** 2).sum() / (rows - 1),
            rows * ((by_column - mean) ** 2).sum() / (columns - 1),
            ((table - by_row - by_column + mean) ** 2).sum() / ((rows - 1) * (columns - 1)),
        ]
    )
    squares[squares < _ROUNDING * np.abs(table).max() ** 2] = 0.0
    return squares
