"""Where variance comes from: seeds and queries; the order of a support, and which support was drawn.

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
    """Variances of a table of repetitions by queries; estimates below 0, which chance can give, are cut to 0."""

    repetition: float  # between repetitions, beyond what so few queries give by themselves
    query: float
    rest: float


def components(values: ArrayLike) -> Components:
    """Components of (R, Q) values by the two-way analysis of variance with random effects (Searle et al. 1992).

    Raises:
        UserError: fewer than two repetitions or queries.
    """
    table = np.asarray(values, float)
    if table.ndim != 2 or min(table.shape) < 2:
        raise UserError(f"variance needs two repetitions of two queries at least, not {table.shape}")
    repetition, query, rest = _mean_squares(table).tolist()
    return Components(
        repetition=max(0.0, (repetition - rest) / table.shape[1]),
        query=max(0.0, (query - rest) / table.shape[0]),
        rest=rest,
    )


@dataclass(frozen=True)
class Seeds:
    """An accuracy over seeds: its mean, and the interval that holds for seeds not tried and queries not asked."""

    mean: float
    low: float
    high: float
    between_seeds: float  # standard deviation of a seed's accuracy, beyond what so few queries give
    between_queries: float  # standard deviation of one answer within a seed
    n: int  # seeds


def seeds(values: ArrayLike, level: float = 0.95) -> Seeds:
    """(R, Q) accuracies of R seeds on the same Q queries, or on the same Q concept pairs, where queries cluster.

    The interval is Student's, with the variance of the mean of crossed random effects and its degrees of freedom
    after Satterthwaite (1946).

    Raises UserError as `components` does.
    """
    table = np.asarray(values, float)
    found = components(table)
    rows, columns = table.shape
    squares = _mean_squares(table)
    signed = squares * (1, 1, -1)
    freedoms = np.array([rows - 1, columns - 1, (rows - 1) * (columns - 1)])
    variance = max(float(signed.sum()), float(squares[:2].max()), 1e-12)
    freedom = max(1.0, variance**2 / max(float((squares**2 / freedoms).sum()), 1e-24))
    reach = float(stats.t.ppf((1 + level) / 2, freedom)) * (variance / table.size) ** 0.5
    mean = float(table.mean())
    within = (found.query + found.rest) ** 0.5
    return Seeds(mean, max(0.0, mean - reach), min(1.0, mean + reach), found.repetition**0.5, within, rows)


@dataclass(frozen=True)
class OrderAndDraw:
    """Standard deviations of a query's outcome, with 95 % intervals over clusters, and their variances' ratio."""

    order: float  # over orders of one support
    order_low: float
    order_high: float
    draw: float  # over draws of a support, each in its own order
    draw_low: float
    draw_high: float
    share: float  # of the variance over draws that the order alone makes; it may be above 1 by chance
    share_low: float
    share_high: float
    queries: int
    clusters: int


def order_and_draw(orders: ArrayLike, draws: ArrayLike, clusters: ArrayLike, level: float = 0.95) -> OrderAndDraw:
    """How much the outcome of a query changes with the order of its support, and with the support that is drawn.

    `orders` (Q, R) are outcomes of Q queries under R orders of one support, `draws` (Q, S) under S supports of the
    same pair; `clusters` (Q,) are the concept pairs. Variances are within queries. Intervals are Student's on the
    jackknife over clusters (Arvesen 1969), that of the ratio on its logarithm; nan where nothing ever changed.

    Raises:
        UserError: fewer than two orders, draws or clusters.
    """
    table = [np.asarray(values, float) for values in (orders, draws)]
    names, own = np.unique(np.asarray(clusters), return_inverse=True)
    if min(values.shape[1] for values in table) < 2 or len(names) < 2:
        raise UserError("order against draw needs two orders, two draws and two clusters at least")
    sums = np.stack([np.bincount(own, values.var(axis=1, ddof=1)) for values in table])
    sizes, count = np.bincount(own), len(names)
    quantile = float(stats.t.ppf((1 + level) / 2, count - 1))

    def reach(without: NDArray[np.float64]) -> NDArray[np.float64]:
        """(…, C) values each without one cluster → half the width of the interval."""
        spread = ((without - without.mean(axis=-1, keepdims=True)) ** 2).sum(axis=-1)
        return quantile * np.sqrt((count - 1) / count * spread)

    found = sums.sum(axis=1) / sizes.sum()
    without = (sums.sum(axis=1, keepdims=True) - sums) / (sizes.sum() - sizes)
    low, high = np.sqrt(np.maximum(found - reach(without), 0)), np.sqrt(found + reach(without))
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.log(found[0]) - np.log(found[1])
        around = reach(np.log(without[0]) - np.log(without[1]))
        share, share_low, share_high = np.exp([ratio, ratio - around, ratio + around]).tolist()
    return OrderAndDraw(
        order=float(found[0] ** 0.5),
        order_low=float(low[0]),
        order_high=float(high[0]),
        draw=float(found[1] ** 0.5),
        draw_low=float(low[1]),
        draw_high=float(high[1]),
        share=share,
        share_low=share_low,
        share_high=share_high,
        queries=len(own),
        clusters=count,
    )


def _mean_squares(table: NDArray[np.float64]) -> NDArray[np.float64]:
    """(R, Q) → mean squares of repetitions, of queries and of the rest."""
    rows, columns = table.shape
    mean, by_row, by_column = table.mean(), table.mean(axis=1, keepdims=True), table.mean(axis=0, keepdims=True)
    return np.array(
        [
            columns * ((by_row - mean) ** 2).sum() / (rows - 1),
            rows * ((by_column - mean) ** 2).sum() / (columns - 1),
            ((table - by_row - by_column + mean) ** 2).sum() / ((rows - 1) * (columns - 1)),
        ]
    )
