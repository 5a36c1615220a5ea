"""Where variance comes from: seeds or orders on one side, queries on the other.

Letters: G groups (such as support draws), R repetitions (seeds, or orders of one support), Q queries.
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
    repetition, query, rest = _mean_squares(table[None])
    return Components(
        repetition=max(0.0, float(repetition[0] - rest[0]) / table.shape[1]),
        query=max(0.0, float(query[0] - rest[0]) / table.shape[0]),
        rest=float(rest[0]),
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
    squares = np.array([float(square[0]) for square in _mean_squares(table[None])])
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
    """Standard deviations of the mean of a support's queries, with 95 % intervals over clusters."""

    order: float
    order_low: float
    order_high: float
    draw: float
    draw_low: float
    draw_high: float
    groups: int
    clusters: int


def order_and_draw(
    values: ArrayLike, clusters: ArrayLike, rng: np.random.Generator, draws: int = 2000, level: float = 0.95
) -> OrderAndDraw:
    """How much a mean over queries changes with the order of one support, and with the support that is drawn.

    `values` are (G, R, Q): groups are supports, each in R orders with its own Q queries; `clusters` (G,) are the
    concept pairs. The model is group + order in group + query in group + rest, all random; draws of a cluster are
    compared with one another alone. Intervals resample clusters (percentiles).

    Raises:
        UserError: a cluster has fewer than two supports, or there are fewer than two orders, queries or clusters.
    """
    table = np.asarray(values, float)
    names, own = np.unique(np.asarray(clusters), return_inverse=True)
    sizes = np.bincount(own)
    if table.ndim != 3 or min(table.shape[1:]) < 2 or sizes.min(initial=9) < 2 or len(names) < 2:
        raise UserError("order against draw needs two orders, queries and clusters, and two supports a cluster")
    order, query, rest = _mean_squares(table)
    _, orders, queries = table.shape
    means = table.mean(axis=(1, 2))
    spread = (means - (np.bincount(own, means) / sizes)[own]) ** 2
    # What each cluster adds to the sums; a resampled set of clusters is a weighting of these.
    parts = np.stack([np.bincount(own, part) for part in (order, query, rest, spread)] + [sizes, sizes - 1.0])

    def deviations(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """(…, C) weights of clusters → (…, 2) standard deviations."""
        total = np.moveaxis(weights @ parts.T, -1, 0)
        by_order, by_query, left = (total[k] / total[4] for k in range(3))
        of_order = (by_order - left) / queries
        # Of means over orders and queries; what these two add to them is taken off.
        of_draw = total[3] / total[5] - (by_order + by_query - left) / (orders * queries)
        return np.sqrt(np.maximum(np.stack([of_order, of_draw], axis=-1), 0))

    count = len(names)
    found = deviations(np.ones(count))
    drawn = deviations(rng.multinomial(count, np.full(count, 1 / count), size=draws).astype(float))
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return OrderAndDraw(
        order=float(found[0]),
        order_low=float(low[0]),
        order_high=float(high[0]),
        draw=float(found[1]),
        draw_low=float(low[1]),
        draw_high=float(high[1]),
        groups=len(table),
        clusters=count,
    )


def _mean_squares(table: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
    """(G, R, Q) → mean squares of repetitions, of queries and of the rest, each (G,)."""
    _, rows, columns = table.shape
    mean = table.mean(axis=(1, 2), keepdims=True)
    by_row, by_column = table.mean(axis=2, keepdims=True), table.mean(axis=1, keepdims=True)
    rest = ((table - by_row - by_column + mean) ** 2).sum(axis=(1, 2)) / ((rows - 1) * (columns - 1))
    return (
        columns * ((by_row - mean) ** 2).sum(axis=(1, 2)) / (rows - 1),
        rows * ((by_column - mean) ** 2).sum(axis=(1, 2)) / (columns - 1),
        rest,
    )
