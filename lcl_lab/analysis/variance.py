"""Sources of variance: seeds and queries; the order of a support, and which support was drawn.

Letters: R repetitions (seeds, or orders of one support), S draws of a support, Q queries, C clusters.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from lcl_lab.errors import UserError

__all__ = ["Components", "OrderAndDraw", "Seeds", "components", "order_and_draw", "seeds"]


@dataclass(frozen=True)
class Components:
    """Variances of a table of repetitions by queries; negative estimates, which chance can produce, are set to 0.

    Attributes:
        repetition: between repetitions, beyond the variance of a mean of so few queries.
        query: between queries.
        rest: residual.
    """

    repetition: float
    query: float
    rest: float


def components(values: ArrayLike) -> Components:
    """Variance components by the two-way analysis of variance with random effects (Searle et al. 1992).

    With mean squares MS of repetitions, queries and the rest: repetition = (MS_R − MS_E)/Q, query = (MS_Q − MS_E)/R,
    rest = MS_E.

    Args:
        values: (R, Q) outcomes.

    Raises:
        UserError: fewer than two repetitions or queries.
    """
    table = np.asarray(values, float)
    if table.ndim != 2 or min(table.shape) < 2:
        raise UserError(
            f"variance components need at least two repetitions of two queries; the table has shape {table.shape}"
        )
    repetition, query, rest = _mean_squares(table).tolist()
    return Components(
        repetition=max(0.0, (repetition - rest) / table.shape[1]),
        query=max(0.0, (query - rest) / table.shape[0]),
        rest=rest,
    )


@dataclass(frozen=True)
class Seeds:
    """A mean accuracy over seeds, with an interval that generalises to new seeds and new queries.

    Attributes:
        mean: over seeds and queries.
        low: lower end of the 95 % interval.
        high: upper end of the interval.
        between_seeds: standard deviation of a seed's accuracy, beyond that of so few queries.
        between_queries: standard deviation of one outcome within a seed.
        n: number of seeds.
        clusters: number of queries, or of concept pairs where the values are means over pairs.
    """

    mean: float
    low: float
    high: float
    between_seeds: float
    between_queries: float
    n: int
    clusters: int


def seeds(values: ArrayLike, level: float = 0.95) -> Seeds:
    """The mean accuracy over seeds, with crossed random effects of seeds and queries.

    The variance of the mean is (MS_R + MS_Q − MS_E)/(R·Q), at least max(MS_R, MS_Q)/(R·Q); the interval is Student's
    with Satterthwaite's (1946) degrees of freedom, cut to 0 and 1.

    Args:
        values: (R, Q) outcomes of R seeds on the same Q queries, or their means over Q concept pairs where queries
            cluster.
        level: coverage of the interval.

    Raises:
        UserError: as `components`.
    """
    table = np.asarray(values, float)
    parts = components(table)
    rows, columns = table.shape
    squares = _mean_squares(table)
    signed = squares * (1, 1, -1)
    freedoms = np.array([rows - 1, columns - 1, (rows - 1) * (columns - 1)])
    variance = max(float(signed.sum()), float(squares[:2].max()), 1e-12)
    freedom = max(1.0, variance**2 / max(float((squares**2 / freedoms).sum()), 1e-24))
    reach = float(stats.t.ppf((1 + level) / 2, freedom)) * (variance / table.size) ** 0.5
    mean = float(table.mean())
    within = (parts.query + parts.rest) ** 0.5
    low, high = max(0.0, mean - reach), min(1.0, mean + reach)
    return Seeds(mean, low, high, parts.repetition**0.5, within, rows, columns)


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

    Variances are within queries, averaged over them. Intervals are Student's on the jackknife over clusters (Arvesen
    1969), that of the ratio on its logarithm; nan where outcomes never change.

    Args:
        orders: (Q, R) outcomes under R orders of one support.
        draws: (Q, S) outcomes under S supports of the same pair.
        clusters: (Q,) the concept pair of each query.
        level: coverage of the intervals.

    Raises:
        UserError: fewer than two orders, draws or clusters.
    """
    table = [np.asarray(values, float) for values in (orders, draws)]
    names, groups = np.unique(np.asarray(clusters), return_inverse=True)
    if min(values.shape[1] for values in table) < 2 or len(names) < 2:
        raise UserError("comparing order with draw needs at least two orders, two draws and two clusters")
    sums = np.stack([np.bincount(groups, values.var(axis=1, ddof=1)) for values in table])
    sizes, count = np.bincount(groups), len(names)
    quantile = float(stats.t.ppf((1 + level) / 2, count - 1))

    def reach(without: NDArray[np.float64]) -> NDArray[np.float64]:
        """Half the width of the interval, from (…, C) values that each leave out one cluster."""
        spread = ((without - without.mean(axis=-1, keepdims=True)) ** 2).sum(axis=-1)
        return quantile * np.sqrt((count - 1) / count * spread)

    variances = sums.sum(axis=1) / sizes.sum()
    without = (sums.sum(axis=1, keepdims=True) - sums) / (sizes.sum() - sizes)
    low, high = np.sqrt(np.maximum(variances - reach(without), 0)), np.sqrt(variances + reach(without))
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.log(variances[0]) - np.log(variances[1])
        margin = reach(np.log(without[0]) - np.log(without[1]))
        share, share_low, share_high = np.exp([ratio, ratio - margin, ratio + margin]).tolist()
    return OrderAndDraw(
        order=float(variances[0] ** 0.5),
        order_low=float(low[0]),
        order_high=float(high[0]),
        draw=float(variances[1] ** 0.5),
        draw_low=float(low[1]),
        draw_high=float(high[1]),
        share=share,
        share_low=share_low,
        share_high=share_high,
        n=len(groups),
        clusters=count,
    )


def _mean_squares(table: NDArray[np.float64]) -> NDArray[np.float64]:
    """(R, Q) values to the mean squares of repetitions, of queries and of the rest."""
    rows, columns = table.shape
    mean, by_row, by_column = table.mean(), table.mean(axis=1, keepdims=True), table.mean(axis=0, keepdims=True)
    return np.array(
        [
            columns * ((by_row - mean) ** 2).sum() / (rows - 1),
            rows * ((by_column - mean) ** 2).sum() / (columns - 1),
            ((table - by_row - by_column + mean) ** 2).sum() / ((rows - 1) * (columns - 1)),
        ]
    )
