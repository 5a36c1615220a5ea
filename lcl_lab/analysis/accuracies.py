"""Accuracy in every cell of a design, with two intervals: Wilson's and the cluster bootstrap's."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lcl_lab.analysis.clusters import cluster_numbers, count_clusters
from lcl_lab.analysis.intervals import cluster_bootstrap, intracluster_correlation, wilson
from lcl_lab.analysis.metrics import METRICS
from lcl_lab.errors import UserError, nearest

__all__ = ["accuracy", "cell_rng", "require_columns"]

_FEW_CLUSTERS = 5
_COLUMNS = ("n", "clusters", "estimate", "wilson_low", "wilson_high", "low", "high")


def accuracy(
    frame: pd.DataFrame,
    by: Sequence[str],
    seed: int,
    metrics: Mapping[str, str] = METRICS,
    cluster: Sequence[str] = ("pair",),
) -> pd.DataFrame:
    """The accuracy of each cell of the columns `by` and each metric: the mean of a column of 0/1 outcomes.

    ``wilson_low`` and ``wilson_high`` treat queries as independent. ``low`` and ``high`` resample whole clusters
    (`cluster_bootstrap`); they are the ones to report. Whole pairs are resampled with the support draws inside them,
    since resampling those as well would count their variance twice (Davison and Hinkley 1997, section 3.8).

    A cell whose answers are all right or all wrong does not show how similar the answers of a cluster are. Its interval
    assumes the mean correlation of the other cells of the metric, or that clusters agree where there is no other cell.

    Args:
        frame: records with the columns that the other arguments name; a record without a value of a metric does not
            count for that metric.
        by: condition columns; empty for one cell with all records.
        seed: of the bootstrap. Each interval is drawn from (seed, the cell's values, metric) alone, so it does not
            depend on the other rows, except for that correlation.
        metrics: each metric's column of `frame`.
        cluster: columns with nested clusters, outermost first. A cell with fewer than 5 clusters of one level, such as
            a single concept pair, is resampled by the next.

    Returns:
        One row per cell and metric that has values: `by`, metric, n, clusters, estimate, wilson_low, wilson_high, low
        and high.

    Raises:
        UserError: a column is missing.
    """
    require_columns(frame, [*by, *metrics.values(), *cluster])
    outcomes = {column: frame[column].to_numpy(dtype=np.float64, na_value=np.nan) for column in metrics.values()}
    levels = [cluster_numbers(frame[level]) for level in cluster]
    answered = [
        (key, metric, *_answered(outcomes[column][rows], clusters))
        for key, rows in _cells(frame, by)
        for clusters in [_level([level[rows] for level in levels])]
        for metric, column in metrics.items()
    ]
    correlations = {
        metric: _correlation([outcomes for _, name, *outcomes in answered if name == metric]) for metric in metrics
    }
    rows = [
        {
            **dict(zip(by, key, strict=True)),
            "metric": metric,
            **_estimate(values, clusters, cell_rng(seed, (*key, metric)), correlations[metric]),
        }
        for key, metric, values, clusters in answered
        if len(values)
    ]
    return pd.DataFrame(rows, columns=[*by, "metric", *_COLUMNS])


def _cells(frame: pd.DataFrame, by: Sequence[str]) -> Iterator[tuple[tuple[Any, ...], NDArray[np.intp]]]:
    """The values of each cell, in their order, and the positions of its records."""
    if not by:  # pandas has no groupby for a single cell
        yield (), np.arange(len(frame))
        return
    cells = frame[list(by)].groupby(list(by), dropna=False, sort=True, observed=True)
    numbers = cells.ngroup().to_numpy()
    rows, ends = np.argsort(numbers, kind="stable"), np.cumsum(np.bincount(numbers))
    for number, (key, cell) in enumerate(cells):
        yield key, rows[ends[number] - len(cell) : ends[number]]


def _answered(
    outcomes: NDArray[np.float64], clusters: NDArray[np.intp]
) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """The outcomes that are known, and the number of each one's cluster."""
    known = ~np.isnan(outcomes)
    return outcomes[known], cluster_numbers(clusters[known])


def _correlation(cells: Sequence[list[Any]]) -> float:
    """The mean correlation within clusters over the cells that show one; 1 without any."""
    values = [intracluster_correlation(outcomes, clusters) for outcomes, clusters in cells if len(outcomes)]
    known = [value for value in values if not np.isnan(value)]
    return float(np.mean(known)) if known else 1.0


def _level(levels: Sequence[NDArray[np.intp]]) -> NDArray[np.intp]:
    """The clusters of the outermost level with enough of them to resample, else of the innermost."""
    return next((level for level in levels if np.count_nonzero(np.bincount(level)) >= _FEW_CLUSTERS), levels[-1])


def _estimate(
    correct: NDArray[np.float64], clusters: NDArray[np.intp], rng: np.random.Generator, correlation: float
) -> dict[str, float]:
    low, high = cluster_bootstrap(correct, clusters, rng, correlation=correlation)
    wilson_low, wilson_high = wilson(float(correct.sum()), len(correct))
    numbers = (len(correct), count_clusters(clusters), float(correct.mean()), wilson_low, wilson_high, low, high)
    return dict(zip(_COLUMNS, numbers, strict=True))


def cell_rng(seed: int, key: Sequence[object]) -> np.random.Generator:
    """A generator seeded by a study's seed and a cell's values.

    Args:
        seed: of the study.
        key: values that identify the cell. Their numeric type does not matter: 4 and 4.0 give the same generator,
            since pandas turns a column of integers into floats where a row has no value.
    """
    words = [repr(float(part)) if isinstance(part, Real | np.bool_) else str(part) for part in key]
    digest = hashlib.sha256("\x1f".join(words).encode()).digest()
    return np.random.default_rng([seed, *np.frombuffer(digest, dtype=np.uint32).tolist()])


def require_columns(frame: pd.DataFrame, columns: Sequence[str]) -> None:
    """Check that a frame has all columns.

    Raises:
        UserError: names the first missing column and the closest one present.
    """
    present = [str(column) for column in frame.columns]
    for column in columns:
        if column not in present:
            raise UserError(f"the records have no column {column!r}: {nearest(column, present)}")
