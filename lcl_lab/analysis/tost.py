"""Equivalence of two conditions within a margin, by interval inclusion."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from lcl_lab.analysis.detection import POWER, fewest
from lcl_lab.analysis.sign_flip import sign_flip_interval
from lcl_lab.errors import UserError

__all__ = ["Equivalence", "clusters_needed", "equivalence"]

_ERROR = 0.05  # of each of the two one-sided tests


@dataclass(frozen=True)
class Equivalence:
    """The result of an equivalence test.

    Attributes:
        estimate: the mean difference.
        low: lower end of its 90 % interval.
        high: upper end of the interval.
        margin: the largest difference that counts as equivalent.
        resolution: the largest share of clusters with another effect of which none may be in the sample, with
            probability 5 %.
        n: number of paired differences.
        clusters: number of clusters.
    """

    estimate: float
    low: float
    high: float
    margin: float
    resolution: float
    n: int
    clusters: int

    @property
    def is_equivalent(self) -> bool:
        """Whether the interval lies within ± `margin`."""
        return self.low > -self.margin and self.high < self.margin

    @property
    def clusters_to_decide(self) -> int | None:
        """The clusters with which the test shows equivalence, or a difference, with a probability of 80 %.

        Supposes that the estimate is true, and normal estimates whose standard error SE falls with 1/√C: equivalence is
        shown where the estimate lies within the margin by √((z_0.95·SE)² + resolution²), and a difference where it lies
        beyond z_0.975·SE. None if 1,000 times as many clusters do not suffice, as for an estimate near the margin.
        """
        arm = max(self.estimate - self.low, self.high - self.estimate)
        error = math.sqrt(max(arm**2 - self.resolution**2, 0.0)) / float(stats.norm.isf(_ERROR))

        def decides(clusters: int) -> bool:
            scaled = max(error * math.sqrt(self.clusters / clusters), 1e-12)
            reach = math.hypot(scaled * float(stats.norm.isf(_ERROR)), _resolution(clusters))
            room = (self.margin - reach - self.estimate, self.margin - reach + self.estimate)
            inside = float(stats.norm.cdf(np.divide(room, scaled)).sum()) - 1
            beyond = float(stats.norm.cdf(abs(self.estimate) / scaled - stats.norm.isf(0.025)))
            return max(inside, beyond) >= POWER

        return fewest(decides, self.clusters)


def equivalence(difference: ArrayLike, clusters: ArrayLike, margin: float) -> Equivalence:
    """Test that the mean of paired differences lies within ± `margin`.

    Two one-sided tests at 5 % as inclusion of a 90 % interval (TOST; Schuirmann 1987). The interval is
    `sign_flip_interval`, each arm combined in quadrature with the resolution 1 − 0.05^(1/C): if training destroyed a
    share x of all concepts, none of them is among C with probability (1 − x)^C, however many queries there are of
    each. With C = 50 this cannot be excluded for x < 5.8 %. One loss more never makes two conditions equivalent.

    Args:
        difference: (N,) outcome under b minus outcome under a, each from 0 to 1.
        clusters: (N,) the cluster of each difference.
        margin: above 0.

    Raises:
        UserError: fewer than two clusters, or a margin that is not above 0.
    """
    values, names = np.asarray(difference, float), np.asarray(clusters)
    count = len(np.unique(names))
    if count < 2:
        raise UserError("an equivalence test needs at least two clusters")
    if margin <= 0:
        raise UserError("must be above 0", option="margin", value=margin)
    estimate = float(values.mean())
    resolution = _resolution(count)
    low, high = sign_flip_interval(values, names, 1 - 2 * _ERROR)
    return Equivalence(
        estimate=estimate,
        low=max(-1.0, estimate - float(np.hypot(estimate - low, resolution))),
        high=min(1.0, estimate + float(np.hypot(high - estimate, resolution))),
        margin=margin,
        resolution=resolution,
        n=len(values),
        clusters=count,
    )


def _resolution(clusters: int) -> float:
    """The largest share of all clusters with another effect of which none is among `clusters` in 5 % of samples."""
    return 1 - _ERROR ** (1 / clusters)


def clusters_needed(margin: float) -> int:
    """The fewest clusters whose resolution is within the margin; with fewer, equivalence cannot be shown.

    Args:
        margin: above 0 and below 1.
    """
    return math.floor(math.log(_ERROR) / math.log1p(-margin)) + 1
