"""Changes between consecutive conditions of the same queries, with intervals that hold for all steps simultaneously.

Letters: N queries, K steps, C clusters.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from lcl_lab.analysis.clusters import cluster_numbers
from lcl_lab.analysis.paired import difference_interval
from lcl_lab.analysis.simultaneous import simultaneous_quantile
from lcl_lab.errors import UserError

__all__ = ["cluster_sums", "simultaneous_intervals", "step_changes"]


def step_changes(
    outcomes: ArrayLike, clusters: ArrayLike, rng: np.random.Generator, level: float = 0.95
) -> pd.DataFrame:
    """The change in accuracy from each condition to the next one, on the same queries.

    Args:
        outcomes: (N, K + 1) outcomes from 0 to 1 under each condition, in order.
        clusters: (N,) the cluster of each query.
        rng: draws the quantile of the intervals.
        level: simultaneous coverage of the intervals; see `simultaneous_intervals`.

    Returns:
        K rows in order: estimate, low and high.

    Raises:
        UserError: fewer than two conditions or clusters, or an outcome is missing.
    """
    values, names = np.asarray(outcomes, float), np.asarray(clusters)
    if values.ndim != 2 or values.shape[1] < 2 or len(np.unique(names)) < 2:
        raise UserError("changes from step to step need at least two conditions and two clusters")
    if np.isnan(values).any():
        raise UserError("changes from step to step need the same queries under all conditions; an outcome is missing")
    changes = np.diff(values, axis=1)
    low, high = np.transpose(simultaneous_intervals(changes, names, rng, level))
    return pd.DataFrame({"estimate": changes.mean(axis=0), "low": low, "high": high})


def simultaneous_intervals(
    differences: NDArray[np.float64], clusters: NDArray[np.object_], rng: np.random.Generator, level: float
) -> list[tuple[float, float]]:
    """Intervals of K mean paired differences on the same queries that hold together.

    Each is `difference_interval` at the level at which the largest of K correlated t statistics stays within its
    quantile (Westfall and Young 1993).

    Args:
        differences: (N, K) differences.
        clusters: (N,) the cluster of each query.
        rng: draws the t statistics.
        level: simultaneous coverage.
    """
    sums = cluster_sums(differences - differences.mean(axis=0), clusters)
    quantile = simultaneous_quantile(sums.T @ sums, len(sums) - 1, rng, level)
    each = float(1 - 2 * stats.t.sf(quantile, len(sums) - 1))
    return [difference_interval(column, clusters, each) for column in differences.T]


def cluster_sums(values: NDArray[np.float64], clusters: NDArray[np.object_]) -> NDArray[np.float64]:
    """(N, K) values to (C, K) sums."""
    groups = cluster_numbers(clusters)
    sums = np.zeros((int(groups.max()) + 1, values.shape[1]))
    np.add.at(sums, groups, values)
    return sums
