"""Estimates that carry what they are of, so that reports and dashboards select them by field."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, Self

import pandas as pd

if TYPE_CHECKING:
    from lcl_lab.analysis.paired import PairedDifference

__all__ = ["PAIRED", "Comparison", "Estimate", "IntervalEstimate", "concat_estimates"]

PAIRED = "paired difference, sign-flip interval and test over concept pairs"
"""The method of a comparison of two sides on the same queries."""


class _Result(Protocol):
    """What the estimators of this package return."""

    @property
    def estimate(self) -> float: ...
    @property
    def low(self) -> float: ...
    @property
    def high(self) -> float: ...
    @property
    def n(self) -> int: ...
    @property
    def clusters(self) -> int: ...


@dataclass(frozen=True)
class IntervalEstimate:
    """A number with its 95 % interval, before it is known what it is of.

    Attributes:
        estimate: the value.
        low: lower end of the interval.
        high: upper end of the interval.
        n: number of queries.
        clusters: number of concept pairs.
    """

    estimate: float
    low: float
    high: float
    n: int
    clusters: int


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A number with its interval and what it estimates.

    Attributes:
        value: the point estimate.
        low: lower end of the interval.
        high: upper end of the interval.
        n: the number of queries.
        clusters: the number of clusters (concept pairs unless `method` says otherwise).
        estimand: what is estimated, such as ``"accuracy"`` or ``"link score"``.
        metric: ``"candidate"``, ``"open-ended"`` or ``"candidate-raw"``; None where no metric applies.
        model: the name of the model; None where several are involved.
        condition: the values of the condition columns that the estimate is about.
        method: how value and interval were computed.
        p_value: of the test that belongs to the estimate, if there is one.
        confidence: coverage of the interval.
        signed: whether the value is a difference, to be shown with its sign.
    """

    value: float
    low: float
    high: float
    n: int
    clusters: int
    estimand: str
    metric: str | None = None
    model: str | None = None
    condition: Mapping[str, Any] = field(default_factory=dict)
    method: str = ""
    p_value: float | None = None
    confidence: float = 0.95
    signed: bool = False

    @classmethod
    def from_result(cls, result: _Result, **fields: Any) -> Self:
        """The typed form of a result with an estimate and its interval.

        Args:
            result: the numbers.
            **fields: what they are of: estimand, metric, model, condition, method.
        """
        return cls(
            value=result.estimate,
            low=result.low,
            high=result.high,
            n=result.n,
            clusters=result.clusters,
            **fields,
        )

    @classmethod
    def from_row(cls, row: pd.Series, **fields: Any) -> Self:
        """The typed form of a row of a table of estimates, such as one of `accuracy`.

        Args:
            row: its columns estimate, low, high, n and clusters.
            **fields: what they are of: estimand, metric, model, condition, method.
        """
        value, low, high = (float(row[name]) for name in ("estimate", "low", "high"))
        return cls(value=value, low=low, high=high, n=int(row["n"]), clusters=int(row["clusters"]), **fields)


@dataclass(frozen=True, kw_only=True)
class Comparison(Estimate):
    """The difference B − A between two sides on the same queries.

    Attributes:
        a: column values that select side A, such as ``{"model": "mini/base"}``.
        b: column values that select side B.
        value_a: accuracy of side A.
        value_b: accuracy of side B.
        gains: queries wrong under A and right under B.
        losses: queries right under A and wrong under B.
        trainings: trainings of each side, of the side that has fewer; 1 where single checkpoints are compared.
    """

    p_value: float = float("nan")
    signed: bool = True
    a: Mapping[str, Any]
    b: Mapping[str, Any]
    value_a: float
    value_b: float
    gains: int = 0
    losses: int = 0
    trainings: int = 1

    @classmethod
    def from_difference(cls, difference: PairedDifference, **fields: Any) -> Comparison:
        """The typed form of a paired difference.

        Args:
            difference: the numbers.
            **fields: what they are of: metric, model, condition, the sides `a` and `b`.
        """
        return cls.from_result(
            difference,
            estimand="change in accuracy",
            method=PAIRED,
            p_value=difference.p_value,
            value_a=difference.accuracy_a,
            value_b=difference.accuracy_b,
            gains=difference.gains,
            losses=difference.losses,
            **fields,
        )


def concat_estimates(frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Frames of estimates, or of records, below one another with a new index; empty without frames."""
    return pd.concat(list(frames), ignore_index=True) if frames else pd.DataFrame()
