"""Differences between two conditions measured on the same queries: estimate, interval, and McNemar's exact test.

Letters: N queries, C clusters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar

from lcl_lab.analysis.accuracies import require_columns
from lcl_lab.analysis.intervals import FEW, cluster_bootstrap, effective_size, wilson
from lcl_lab.errors import UserError, nearest

__all__ = ["PairedDifference", "cluster_mcnemar", "difference_interval", "paired_difference", "paired_values"]

_MANY = 200  # clusters with a change; above it the normal approximation is accurate


@dataclass(frozen=True)
class PairedDifference:
    """The difference in accuracy between conditions a and b on the same queries.

    Attributes:
        estimate: accuracy_b − accuracy_a.
        low: lower end of the 95 % interval.
        high: upper end of the interval.
        accuracy_a: accuracy under a.
        accuracy_b: accuracy under b.
        n: number of queries.
        clusters: number of clusters, such as concept pairs.
        gains: queries wrong under a and right under b.
        losses: queries right under a and wrong under b.
        p_independent: McNemar's exact test, which treats queries as independent.
        p_value: the same test for clustered queries, see `cluster_mcnemar`.
    """

    estimate: float
    low: float
    high: float
    accuracy_a: float
    accuracy_b: float
    n: int
    clusters: int
    gains: int
    losses: int
    p_independent: float
    p_value: float


def paired_difference(
    frame: pd.DataFrame,
    column: str,
    a: Mapping[str, object],
    b: Mapping[str, object],
    rng: np.random.Generator,
    on: Sequence[str] = ("query_id",),
    cluster: str = "pair",
    level: float = 0.95,
) -> PairedDifference:
    """The mean of b − a over paired records, with interval and test.

    The interval is `difference_interval`, the p-value `cluster_mcnemar`.

    Args:
        frame: records with the columns that the other arguments name.
        column: 0/1 outcomes.
        a: column values that select the records of condition a, such as ``{"model": "lcl", "false_ratio": 0.5}``.
        b: column values that select the records of condition b.
        rng: draws the bootstrap.
        on: columns that identify a record within a condition, and pair records across the two. Include ``"model"`` or
            ``"seed"`` if the frame has several and the conditions do not fix them.
        cluster: the column with clusters.
        level: coverage of the interval.

    Raises:
        UserError: a column is missing, a condition has no records or records without a value, or the pairing is not
            one to one.
    """
    before, after, clusters = paired_values(frame, column, a, b, on, cluster)
    low, high = difference_interval(after - before, clusters, rng, level)
    gains, losses = int(((before == 0) & (after == 1)).sum()), int(((before == 1) & (after == 0)).sum())
    both = int((before * after).sum())
    table = [[both, losses], [gains, len(before) - both - losses - gains]]
    return PairedDifference(
        estimate=float((after - before).mean()),
        low=low,
        high=high,
        accuracy_a=float(before.mean()),
        accuracy_b=float(after.mean()),
        n=len(before),
        clusters=len(np.unique(clusters)),
        gains=gains,
        losses=losses,
        p_independent=float(mcnemar(table, exact=True).pvalue),
        p_value=cluster_mcnemar(after - before, clusters),
    )


def paired_values(
    frame: pd.DataFrame,
    column: str,
    a: Mapping[str, object],
    b: Mapping[str, object],
    on: Sequence[str] = ("query_id",),
    cluster: str = "pair",
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.object_]]:
    """The outcomes of the same queries under conditions a and b; arguments as in `paired_difference`.

    Returns:
        (N,) outcomes under a, (N,) outcomes under b, and the (N,) clusters of the queries.

    Raises:
        UserError: as `paired_difference`.
    """
    require_columns(frame, [column, cluster, *on, *a, *b])
    left, right = (_side(frame, column, condition, on, cluster) for condition in (a, b))
    unpaired = left.index.symmetric_difference(right.index)
    if len(unpaired):
        first = _describe(on, unpaired[0])
        raise UserError(f"{len(unpaired)} queries have only one of {dict(a)} and {dict(b)}, first {first}")
    right = right.loc[left.index]
    clusters = left[cluster].to_numpy()
    moved = clusters != right[cluster].to_numpy()
    if moved.any():
        raise UserError(
            f"{_describe(on, left.index[moved][0])} has a different {cluster!r} under {dict(a)} than under {dict(b)}"
        )
    before, after = (side[column].to_numpy(dtype=np.float64) for side in (left, right))
    return before, after, clusters


def cluster_mcnemar(difference: ArrayLike, clusters: ArrayLike) -> float:
    """McNemar's exact test for clustered queries.

    The statistic is T = |Σ_c s_c|, s_c being gains minus losses of cluster c, as in cluster-adjusted tests (Durkalski
    et al. 2003). Its distribution is exact: under the null hypothesis each s_c has either sign with probability 1/2.
    With more than 200 clusters whose sum is not 0, the normal approximation with continuity correction is used. If
    every query is its own cluster, this is McNemar's exact test.

    Args:
        difference: (N,) values in {−1, 0, 1}: outcome under b minus outcome under a.
        clusters: (N,) the cluster of each query.

    Returns:
        The two-sided p-value.
    """
    names = np.unique(np.asarray(clusters), return_inverse=True)[1]
    sums = np.abs(np.rint(np.bincount(names, np.asarray(difference, float)))).astype(int)
    observed = abs(round(float(np.sum(difference))))
    if (sums > 0).sum() > _MANY:
        # Sums change in steps of 2, so the continuity correction is 1.
        return min(1.0, float(2 * stats.norm.sf((observed - 1) / np.sqrt((sums**2).sum()))))
    probability = np.ones(1)  # of each signed sum, from −total to +total
    for size in sums[sums > 0]:
        gap = np.zeros(2 * size)
        probability = (np.concatenate([probability, gap]) + np.concatenate([gap, probability])) / 2
    total = len(probability) // 2
    return min(1.0, float(probability[np.abs(np.arange(-total, total + 1)) >= observed].sum()))


def _side(
    frame: pd.DataFrame, column: str, condition: Mapping[str, object], on: Sequence[str], cluster: str
) -> pd.DataFrame:
    """The records of one condition, indexed by `on` in sorted order."""
    mask = np.ones(len(frame), dtype=bool)
    for name, value in condition.items():
        mask &= (frame[name] == value).to_numpy(dtype=bool)
    rows = frame.loc[mask, list(dict.fromkeys([column, cluster, *on]))]
    if rows.empty:
        raise UserError(f"no record has {_text(condition)}{_nearest_value(frame, condition)}")
    if rows.isna().to_numpy().any():
        raise UserError(f"a record of {dict(condition)} has no value in one of {[column, cluster, *on]}")
    indexed = rows.set_index(list(on))
    repeated = indexed.index[indexed.index.duplicated()]
    if len(repeated):
        same = frame.loc[mask].set_index(list(on)).loc[[repeated[0]]]
        differ = [str(name) for name in same.columns if same[name].astype(str).nunique() > 1]
        hint = f"; they differ in {', '.join(differ)}" if differ else ", all identical"
        raise UserError(f"{_describe(on, repeated[0])} has {len(same)} records with {_text(condition)}{hint}")
    return indexed[[column, cluster]].sort_index()


def _text(condition: Mapping[str, object]) -> str:
    return ", ".join(
        f"{name}={value:g}" if isinstance(value, float) else f"{name}={value}" for name, value in condition.items()
    )


def _nearest_value(frame: pd.DataFrame, condition: Mapping[str, object]) -> str:
    """A hint at the value of the first column that has no such value."""
    for name, value in condition.items():
        if not (frame[name] == value).any():
            return f"; {name}: {nearest(str(value), map(str, frame[name].dropna().unique()))}"
    return ""


def _describe(on: Sequence[str], key: object) -> str:
    values = key if isinstance(key, tuple) else (key,)
    return ", ".join(f"{name} {value}" for name, value in zip(on, values, strict=True))


def difference_interval(
    difference: NDArray[np.float64], clusters: NDArray[np.object_], rng: np.random.Generator, level: float = 0.95
) -> tuple[float, float]:
    """Interval of the mean of paired differences.

    `cluster_bootstrap`, unless fewer than `FEW` effective queries differ from the most common difference (almost all
    agree, or almost all change). Then the share g of gains and the share l of losses get Wilson's intervals on their
    effective sizes, combined by MOVER (Zou and Donner 2008):
    low = g − l − √((g − g_low)² + (l_high − l)²), high = g − l + √((g_high − g)² + (l − l_low)²).
    Two conditions that agree on every query thus still have an interval of positive width.

    Args:
        difference: (N,) values in {−1, 0, 1}.
        clusters: (N,) the cluster of each query.
        rng: draws the bootstrap.
        level: coverage of the interval.

    Returns:
        The lower and upper end.
    """
    estimate = float(difference.mean())
    _, counts = np.unique(difference, return_counts=True)
    commonest = float(counts.max()) / len(difference)
    shares = [(difference == sign).astype(np.float64) for sign in (+1, -1)]
    sizes = [effective_size(share, clusters, level) for share in shares]
    low, high = (
        cluster_bootstrap(difference, clusters, rng, level=level) if min(sizes) * (1 - commonest) >= FEW else (0.0, 0.0)
    )
    if low < high:
        return low, high
    (gain, gain_low, gain_high), (loss, loss_low, loss_high) = (
        (float(share.mean()), *wilson(float(share.mean()) * size, size, level))
        for share, size in zip(shares, sizes, strict=True)
    )
    low = estimate - float(np.hypot(gain - gain_low, loss_high - loss))
    high = estimate + float(np.hypot(gain_high - gain, loss - loss_low))
    return max(low, -1.0), min(high, 1.0)
