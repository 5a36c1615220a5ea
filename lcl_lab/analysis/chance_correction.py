"""Accuracy corrected for chance, so that choices between different numbers of names can be compared.

Letters: N queries, n names of a choice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lcl_lab.analysis.estimates import IntervalEstimate
from lcl_lab.analysis.paired import difference_interval, paired_values
from lcl_lab.analysis.sign_flip import cluster_mcnemar

__all__ = [
    "ChanceCorrectedDifference",
    "chance_corrected",
    "chance_corrected_accuracy",
    "chance_corrected_difference",
]

T = TypeVar("T", float, NDArray[np.float64], pd.Series)


@dataclass(frozen=True)
class ChanceCorrectedDifference(IntervalEstimate):
    """The difference in chance-corrected accuracy between conditions a and b on the same queries.

    Attributes:
        accuracy_a: chance-corrected accuracy under a.
        accuracy_b: chance-corrected accuracy under b.
        p_value: of the test that there is no difference.
    """

    accuracy_a: float
    accuracy_b: float
    p_value: float


def chance_corrected(accuracy: T, ways: int | T) -> T:
    """(A − 1/n) / (1 − 1/n): 0 for a model that guesses among n names, and 1 for one that is always right.

    Negative below chance, down to −1/(n − 1).

    Args:
        accuracy: A, or several.
        ways: n, at least 2.
    """
    return (accuracy - 1 / ways) / (1 - 1 / ways)


def chance_corrected_accuracy(accuracies: pd.DataFrame, ways: str = "ways") -> pd.DataFrame:
    """Rows of `accuracy` with estimates and intervals corrected for chance.

    The correction is linear and increasing, so that a corrected interval contains the corrected accuracy exactly if the
    interval contains the accuracy.

    Args:
        accuracies: rows of candidate accuracies.
        ways: the column with the number of names.
    """
    numbers = accuracies[ways].astype(float)
    columns = [name for name in ("estimate", "low", "high", "wilson_low", "wilson_high") if name in accuracies]
    return accuracies.assign(**{name: chance_corrected(accuracies[name], numbers) for name in columns})


def chance_corrected_difference(
    frame: pd.DataFrame, column: str, a: Mapping[str, object], b: Mapping[str, object], ways: tuple[int, int]
) -> ChanceCorrectedDifference:
    """The mean of b − a over paired records, each outcome corrected for chance.

    Every outcome is corrected as an accuracy is, and the differences have the interval and the test of
    `paired_difference`.

    Args:
        frame: records of one model.
        column: outcomes from 0 to 1.
        a: column values that select the records of condition a.
        b: column values that select the records of condition b.
        ways: the number of names under a and under b.

    Raises:
        UserError: a condition has no records, or records cannot be paired.
    """
    outcomes_a, outcomes_b, clusters = paired_values(frame, column, a, b)
    before, after = (
        chance_corrected(values, number) for values, number in zip((outcomes_a, outcomes_b), ways, strict=True)
    )
    halved = (after - before) / 2  # corrected outcomes are from −1 to 1, and intervals are of values from −1 to 1
    low, high = difference_interval(halved, clusters)
    return ChanceCorrectedDifference(
        estimate=float((after - before).mean()),
        low=2 * low,
        high=2 * high,
        n=len(before),
        clusters=len(np.unique(clusters)),
        accuracy_a=float(before.mean()),
        accuracy_b=float(after.mean()),
        p_value=cluster_mcnemar(halved, clusters),
    )
