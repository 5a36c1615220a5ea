"""What an inconclusive result would have shown: the minimum detectable difference, and the size that would decide it.

Letters: C clusters, SE the standard error that an interval implies.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil, inf

import numpy as np

from lcl_lab.analysis.estimates import Comparison, Estimate
from lcl_lab.analysis.quantiles import normal_quantile

__all__ = ["POWER", "SEVERAL_TRAININGS", "Detectable", "detectable", "fewest"]

POWER = 0.8
"""The probability with which a detectable difference is detected."""
_LEVEL = 0.05
_MOST = 1000  # times as many clusters as there are, above which a number is of no use


@dataclass(frozen=True)
class Detectable:
    """What a study of this size detects, and the size that would decide its question.

    Attributes:
        difference: the distance from a bound that is detected with a probability of 80 %; infinite where none is,
            whatever its size.
        needed: the number of units with which the estimate, if it is true, is decided with a probability of 80 %; None
            where it is so close to a bound that it takes more than 1,000 times as many as there are.
        units: what `needed` counts.
    """

    difference: float
    needed: int | None
    units: str = "concept pairs"


SEVERAL_TRAININGS = Detectable(inf, 2, "trainings per strategy")
"""Of strategies with a single training, which may differ from the next one by any amount."""


def detectable(
    estimate: Estimate, bounds: Sequence[float] = (0.0,), level: float = _LEVEL, units: str = "concept pairs"
) -> Detectable:
    """The minimum detectable difference of an estimate, and the number of clusters that would decide about its bounds.

    The interval's longer arm is z·SE, with z the normal quantile of its confidence. A two-sided test at `level` detects
    a distance of (z_(1−level/2) + z_0.8)·SE with a probability of 80 %. SE falls with 1/√C, so that a distance d takes
    C·((z_(1−level/2) + z_0.8)·SE / d)² clusters, with d the distance of the estimate from its nearest bound. Both hold
    for the size of the interval: they are approximate where it is asymmetric, and where few answers differ.

    The SE of a difference over trainings falls so only if trainings and clusters grow alike: more clusters alone leave
    the variance between trainings. The number needed is then that of trainings, and `units` names the clusters.

    Args:
        estimate: the estimate with its interval.
        bounds: the values that the interval must not contain for a decision.
        level: significance level of the test of each bound.
        units: what clusters are called.
    """
    arm = max(estimate.value - estimate.low, estimate.high - estimate.value)
    quantiles = -normal_quantile(np.array([(1 - estimate.confidence) / 2, level / 2, 1 - POWER]))
    difference = arm * float((quantiles[1] + quantiles[2]) / quantiles[0])
    distance = min((abs(estimate.value - bound) for bound in bounds), default=0.0)
    if distance**2 * _MOST <= difference**2:
        return Detectable(difference, None, units)
    factor = (difference / distance) ** 2
    clusters = ceil(estimate.clusters * factor)
    if isinstance(estimate, Comparison) and estimate.trainings > 1:
        return Detectable(
            difference, ceil(estimate.trainings * factor), f"trainings per strategy and {clusters:,} {units}"
        )
    return Detectable(difference, clusters, units)


def fewest(decides: Callable[[int], bool], clusters: int) -> int | None:
    """The smallest number above `clusters` that decides, of a rule by which more clusters never decide less.

    Args:
        decides: whether a number of clusters decides.
        clusters: a number that does not.

    Returns:
        The number; None if 1,000 times as many clusters do not decide.
    """
    low, high = clusters, 2 * clusters
    while not decides(high):
        if high > _MOST * clusters:
            return None
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if decides(middle) else (middle, high)
    return high
