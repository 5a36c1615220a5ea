"""The accuracy of every cell of a design, with Wilson's interval and that of the cluster bootstrap."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from numbers import Real

import numpy as np
import pandas as pd

from lcl_lab.analysis.intervals import cluster_bootstrap, wilson
from lcl_lab.errors import UserError, nearest

__all__ = ["METRICS", "accuracy", "cell_rng", "require_columns"]

METRICS: Mapping[str, str] = {
    "open-ended": "correct_open",
    "candidate": "correct_candidate",
    "candidate-raw": "correct_candidate_raw",
}
"""Each metric's column of the records: the paper's substring rule on the generated answer; argmax of the candidates'
log-likelihood; the same before any length normalisation."""


def accuracy(
    frame: pd.DataFrame,
    by: Sequence[str],
    seed: int,
    metrics: Mapping[str, str] = METRICS,
    cluster: Sequence[str] = ("pair",),
) -> pd.DataFrame:
    """One row for each cell of the columns `by` and each metric: *by, metric, n, clusters, estimate, and two intervals.

    (wilson_low, wilson_high) takes the queries as independent; (low, high) resamples whole clusters and is the one to
    report. `cluster` names their levels, the outermost first: whole pairs are resampled with the support draws in
    them, since resampling these once more would count their spread twice (Davison and Hinkley 1997, section 3.8); a
    cell with fewer than `_FEW_CLUSTERS` of one level, such as a single pair, goes by the next. A cell's interval is
    drawn from (seed, the cell's key, metric) alone: other rows do not move it. A record without a value of a metric
    is left out of that metric's n; a cell where none has one gives no row.

    Raises UserError when a column is not there.
    """
    require_columns(frame, [*by, *metrics.values(), *cluster])
    rows = []
    frame = frame[list(dict.fromkeys([*by, *metrics.values(), *cluster]))]
    # With no `by` there is one cell, all of the frame; pandas has no groupby for it.
    cells = frame.groupby(list(by), dropna=False, sort=True, observed=True) if by else [((), frame)]
    for key, cell in cells:
        for metric, column in metrics.items():
            answered = cell.loc[cell[column].notna(), [column, _level(cell, cluster)]]
            if answered.empty:
                continue
            rows.append(
                {**dict(zip(by, key, strict=True)), "metric": metric, **_estimate(answered, seed, (*key, metric))}
            )
    return pd.DataFrame(rows, columns=[*by, "metric", *_COLUMNS])


_FEW_CLUSTERS = 5
_COLUMNS = ("n", "clusters", "estimate", "wilson_low", "wilson_high", "low", "high")


def _level(cell: pd.DataFrame, levels: Sequence[str]) -> str:
    """The outermost level with enough clusters to resample, or the innermost."""
    return next((level for level in levels if cell[level].nunique() >= _FEW_CLUSTERS), levels[-1])


def _estimate(answered: pd.DataFrame, seed: int, key: tuple[object, ...]) -> dict[str, float]:
    correct = answered.iloc[:, 0].to_numpy(dtype=np.float64)
    clusters = answered.iloc[:, 1].to_numpy()
    low, high = cluster_bootstrap(correct, clusters, cell_rng(seed, key))
    wilson_low, wilson_high = wilson(float(correct.sum()), len(correct))
    numbers = (len(correct), answered.iloc[:, 1].nunique(), float(correct.mean()), wilson_low, wilson_high, low, high)
    return dict(zip(_COLUMNS, numbers, strict=True))


def cell_rng(seed: int, key: Sequence[object]) -> np.random.Generator:
    """A generator that depends on the seed and on the values of a cell's key, not on their numeric types.

    4 and 4.0 are one key: pandas turns a column of whole numbers into floats when another row lacks one.
    """
    words = [repr(float(part)) if isinstance(part, Real | np.bool_) else str(part) for part in key]
    digest = hashlib.sha256("\x1f".join(words).encode()).digest()
    return np.random.default_rng([seed, *np.frombuffer(digest, dtype=np.uint32).tolist()])


def require_columns(frame: pd.DataFrame, columns: Sequence[str]) -> None:
    """Raises UserError that names the first of `columns` that the frame lacks, and the nearest it has."""
    present = [str(column) for column in frame.columns]
    for column in columns:
        if column not in present:
            raise UserError(f"the records have no column {column!r}: {nearest(column, present)}")
