"""What a condition changes, measured on the same queries: the paired difference and McNemar's exact test, for
independent queries and for clusters of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from lcl_lab.analysis.accuracy import require_columns
from lcl_lab.analysis.intervals import FEW, cluster_bootstrap, effective_size, wilson
from lcl_lab.errors import UserError

__all__ = ["PairedDifference", "cluster_mcnemar", "difference_interval", "paired_difference", "paired_values"]

_MANY = 200  # clusters that changed, from which the exact distribution is normal for all that matters


@dataclass(frozen=True)
class PairedDifference:
    """How much better condition b does than condition a on the queries that both answered."""

    estimate: float  # accuracy_b − accuracy_a
    low: float
    high: float
    accuracy_a: float
    accuracy_b: float
    n: int  # queries
    clusters: int
    gains: int  # wrong under a, right under b
    losses: int  # right under a, wrong under b
    p_independent: float  # McNemar's exact test, which takes the queries as independent
    p_value: float  # the same for clusters of queries, see `cluster_mcnemar`


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
    """mean(b) − mean(a) of a column of truths, over records paired by the columns `on`.

    A condition is the values that its records have, as in `{"model": "lcl", "false_ratio": 0.5}`; `on` must tell its
    records apart, so it names also "model" or "seed" when the frame has several and the conditions leave them open.
    The interval resamples clusters (`cluster_bootstrap`). With fewer than `FEW` effective queries on which the
    difference is not the usual one (almost all agree, or almost all change), the shares of gains and of losses get
    Wilson's intervals on their effective sizes, combined by MOVER (Zou and Donner 2008): two conditions that agree
    on every query still have an interval of some width.

    Raises UserError when a column is missing, a condition has no records, or the pairing is not one to one.
    """
    from statsmodels.stats.contingency_tables import mcnemar

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
    """The (N,) values under a and under b of the same queries, and the clusters of these.

    Raises UserError as `paired_difference` does.
    """
    require_columns(frame, [column, cluster, *on, *a, *b])
    left, right = (_side(frame, column, condition, on, cluster) for condition in (a, b))
    alone = left.index.symmetric_difference(right.index)
    if len(alone):
        raise UserError(f"{len(alone)} queries have only one of {dict(a)} and {dict(b)}, first {_show(on, alone[0])}")
    right = right.loc[left.index]
    clusters = left[cluster].to_numpy()
    moved = clusters != right[cluster].to_numpy()
    if moved.any():
        raise UserError(
            f"{_show(on, left.index[moved][0])} has another {cluster!r} under {dict(a)} than under {dict(b)}"
        )
    before, after = (side[column].to_numpy(dtype=np.float64) for side in (left, right))
    return before, after, clusters


def cluster_mcnemar(difference: ArrayLike, clusters: ArrayLike) -> float:
    """McNemar's exact test where queries come in clusters: the two-sided p-value of (N,) differences in {−1, 0, 1}.

    The statistic is that of the cluster-adjusted tests, the sum of each cluster's gains minus losses (Durkalski et
    al. 2003). Its distribution is exact: if the conditions do the same, each cluster's sum is as likely with the
    other sign; above 200 clusters that changed it is their normal limit. With every query a cluster of its own it is
    McNemar's exact test.
    """
    names = np.unique(np.asarray(clusters), return_inverse=True)[1]
    sums = np.abs(np.rint(np.bincount(names, np.asarray(difference, float)))).astype(int)
    observed = abs(round(float(np.sum(difference))))
    if (sums > 0).sum() > _MANY:
        # Sums go in steps of 2, so half a step is taken off.
        return min(1.0, float(2 * stats.norm.sf((observed - 1) / np.sqrt((sums**2).sum()))))
    chances = np.ones(1)  # of the sum of signed cluster sums, from −total to +total
    for size in sums[sums > 0]:
        gap = np.zeros(2 * size)
        chances = (np.concatenate([chances, gap]) + np.concatenate([gap, chances])) / 2
    total = len(chances) // 2
    return min(1.0, float(chances[np.abs(np.arange(-total, total + 1)) >= observed].sum()))


def _side(
    frame: pd.DataFrame, column: str, condition: Mapping[str, object], on: Sequence[str], cluster: str
) -> pd.DataFrame:
    """The records of one condition, indexed by `on` in sorted order."""
    mask = np.ones(len(frame), dtype=bool)
    for name, value in condition.items():
        mask &= (frame[name] == value).to_numpy(dtype=bool)
    rows = frame.loc[mask, list(dict.fromkeys([column, cluster, *on]))]
    if rows.empty:
        raise UserError(f"no record has {dict(condition)}")
    if rows.isna().to_numpy().any():
        raise UserError(f"a record of {dict(condition)} has no value in one of {[column, cluster, *on]}")
    indexed = rows.set_index(list(on))
    twice = indexed.index[indexed.index.duplicated()]
    if len(twice):
        same = frame.loc[mask].set_index(list(on)).loc[[twice[0]]]
        differ = [str(name) for name in same.columns if same[name].astype(str).nunique() > 1]
        hint = f"; they differ in {', '.join(differ)}" if differ else ", all alike"
        raise UserError(f"{_show(on, twice[0])} has {len(same)} records under {dict(condition)}{hint}")
    return indexed[[column, cluster]].sort_index()


def _show(on: Sequence[str], key: object) -> str:
    values = key if isinstance(key, tuple) else (key,)
    return ", ".join(f"{name} {value!r}" for name, value in zip(on, values, strict=True))


def difference_interval(
    difference: NDArray[np.float64], clusters: NDArray[np.object_], rng: np.random.Generator, level: float = 0.95
) -> tuple[float, float]:
    """The interval of the mean of (N,) differences in {−1, 0, 1} in (N,) clusters, see `paired_difference`."""
    estimate = float(difference.mean())
    _, counts = np.unique(difference, return_counts=True)
    usual = float(counts.max()) / len(difference)
    shares = [(difference == sign).astype(np.float64) for sign in (+1, -1)]
    sizes = [effective_size(share, clusters, level) for share in shares]
    low, high = (
        cluster_bootstrap(difference, clusters, rng, level=level) if min(sizes) * (1 - usual) >= FEW else (0.0, 0.0)
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
