"""Differences between two conditions measured on the same queries: estimate, interval, and the sign-flip test.

Letters: N queries, C clusters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import betaincc

from lcl_lab.analysis.accuracies import require_columns
from lcl_lab.analysis.clusters import cluster_numbers, count_clusters
from lcl_lab.analysis.intervals import FEW, effective_size, wilson
from lcl_lab.analysis.rows import has_values, rows_of, select_rows
from lcl_lab.analysis.sign_flip import cluster_mcnemar, sign_flip_interval
from lcl_lab.errors import UserError, nearest

__all__ = ["PairedDifference", "difference_interval", "difference_of_values", "paired_difference", "paired_values"]

_WIDTH_OF_NONE = 1e-3  # of an interval between whose clusters nothing varies
_SMALLEST = float(np.finfo(float).tiny)  # an end of an interval that excludes 0


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
        on: columns that identify a record within a condition, and pair records across the two. Include ``"model"`` or
            ``"seed"`` if the frame has several and the conditions do not fix them.
        cluster: the column with clusters.
        level: coverage of the interval.

    Raises:
        UserError: a column is missing, a condition has no records or records without a value, or the pairing is not
            one to one.
    """
    return difference_of_values(*paired_values(frame, column, a, b, on, cluster), level)


def difference_of_values(a: ArrayLike, b: ArrayLike, clusters: ArrayLike, level: float = 0.95) -> PairedDifference:
    """`paired_difference` of outcomes that are paired already, such as those of `paired_values`.

    Args:
        a: (N,) outcomes, 0 to 1, under condition a.
        b: (N,) outcomes of the same queries under condition b.
        clusters: (N,) the cluster of each query.
        level: coverage of the interval.
    """
    before, after = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    numbers = cluster_numbers(clusters)
    low, high = difference_interval(after - before, numbers, level)
    gains, losses = int(((before == 0) & (after == 1)).sum()), int(((before == 1) & (after == 0)).sum())
    return PairedDifference(
        estimate=float((after - before).mean()),
        low=low,
        high=high,
        accuracy_a=float(before.mean()),
        accuracy_b=float(after.mean()),
        n=len(before),
        clusters=count_clusters(numbers),
        gains=gains,
        losses=losses,
        p_independent=_mcnemar(gains, losses),
        p_value=cluster_mcnemar(after - before, numbers),
    )


def _mcnemar(gains: int, losses: int) -> float:
    """McNemar's exact test: twice the probability of at most the fewer changes if either direction has 1/2."""
    fewer, more = sorted((gains, losses))
    return min(1.0, 2 * float(betaincc(fewer + 1, more, 0.5)))


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
    left, right = (_Side.of(frame, column, condition, on, cluster) for condition in (a, b))
    if not left.keys.equals(right.keys):
        unpaired = left.keys.symmetric_difference(right.keys)
        first = _describe(on, unpaired[0])
        raise UserError(f"{len(unpaired)} queries have only one of {dict(a)} and {dict(b)}, first {first}")
    moved = (left.clusters != right.clusters).to_numpy(dtype=bool)
    if moved.any():
        raise UserError(
            f"{_describe(on, left.keys[moved][0])} has a different {cluster!r} under {dict(a)} than under {dict(b)}"
        )
    return left.outcomes, right.outcomes, left.clusters.to_numpy(dtype=object)


@dataclass(frozen=True)
class _Side:
    """The N records of one condition, in the order of their keys.

    Attributes:
        keys: what identifies a record; no two are equal.
        outcomes: (N,) outcomes.
        clusters: (N,) the cluster of each record, without an index.
    """

    keys: pd.Index
    outcomes: NDArray[np.float64]
    clusters: pd.Series

    @classmethod
    def of(
        cls, frame: pd.DataFrame, column: str, condition: Mapping[str, object], on: Sequence[str], cluster: str
    ) -> _Side:
        # Columns one by one: a frame of a few of them takes longer to make than all else that is done here.
        mask = has_values(frame, condition)
        columns = {name: select_rows(frame[name], mask) for name in dict.fromkeys([column, cluster, *on])}
        if not mask.any():
            raise UserError(f"no record has {_text(condition)}{_nearest_value(frame, condition)}")
        if any(values.isna().any() for values in columns.values()):
            raise UserError(f"a record of {dict(condition)} has no value in one of {[column, cluster, *on]}")
        identifying = [columns[name] for name in on]
        keys = pd.Index(identifying[0]) if len(on) == 1 else pd.MultiIndex.from_arrays(identifying, names=list(on))
        outcomes, clusters = columns[column].to_numpy(dtype=np.float64), columns[cluster].reset_index(drop=True)
        if keys.is_monotonic_increasing and keys.is_unique:  # as in the stored order
            return cls(keys, outcomes, clusters)
        if not keys.is_unique:
            raise UserError(_repetition(rows_of(frame, condition), condition, on, keys[keys.duplicated()][0]))
        order = keys.argsort()
        return cls(keys[order], outcomes[order], clusters.iloc[order].reset_index(drop=True))


def _repetition(rows: pd.DataFrame, condition: Mapping[str, object], on: Sequence[str], key: object) -> str:
    """That several of the records of a condition have the same key, and in what they differ."""
    same = rows.set_index(list(on)).loc[[key]]
    differ = [str(name) for name in same.columns if same[name].astype(str).nunique() > 1]
    hint = f"; they differ in {', '.join(differ)}" if differ else ", all identical"
    return f"{_describe(on, key)} has {len(same)} records with {_text(condition)}{hint}"


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


def difference_interval(difference: ArrayLike, clusters: ArrayLike, level: float = 0.95) -> tuple[float, float]:
    """Interval of the mean of paired differences.

    `sign_flip_interval`, which agrees with the test `cluster_mcnemar`. Where fewer than `FEW` effective queries differ
    from the most common difference (almost all agree, or almost all change), it is too narrow, since what is rare may
    have been missed; where all clusters have the same mean, it has no width. It is then widened to an interval of the
    mean gain g and the mean loss l, by Wilson's intervals on their effective sizes, combined by MOVER (Zou and Donner
    2008): low = g − l − √((g − g_low)² + (l_high − l)²), high = g − l + √((g_high − g)² + (l − l_low)²).
    Two conditions that agree on every query thus still have an interval of positive width. Widening never reaches
    across 0 where the test rejects 0: the test decides.

    Args:
        difference: (N,) values in −1 … 1, usually −1, 0 and 1.
        clusters: (N,) the cluster of each query.
        level: coverage of the interval.

    Returns:
        The lower and upper end.
    """
    values, names = np.asarray(difference, dtype=np.float64), cluster_numbers(clusters)
    low, high = sign_flip_interval(values, names, level)
    gains, losses = np.maximum(values, 0), np.maximum(-values, 0)
    sizes = [effective_size(share, names, level) for share in (gains, losses)]
    _, counts = np.unique(values, return_counts=True)
    if min(sizes) * (1 - float(counts.max()) / len(values)) >= FEW and high - low > _WIDTH_OF_NONE:
        return low, high
    (gain, gain_low, gain_high), (loss, loss_low, loss_high) = (
        (float(share.mean()), *wilson(float(share.mean()) * size, size, level))
        for share, size in zip((gains, losses), sizes, strict=True)
    )
    wider_low = gain - loss - float(np.hypot(gain - gain_low, loss_high - loss))
    wider_high = gain - loss + float(np.hypot(gain_high - gain, loss - loss_low))
    return (
        max(min(low, wider_low), _SMALLEST if low > 0 else -1.0),
        min(max(high, wider_high), -_SMALLEST if high < 0 else 1.0),
    )
