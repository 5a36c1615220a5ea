"""The sign-flip test of paired differences in clusters, and the interval that it implies.

Under the null hypothesis that the mean difference is δ, the sum of a cluster's deviations from δ has either sign with
probability 1/2 (Fisher 1935; Durkalski et al. 2003 for clusters). Both are monotone: where a difference becomes
smaller, there is not more evidence for a positive mean, and no end of the interval rises.

Letters: N differences, C clusters, D draws of signs.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import product

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lcl_lab.analysis.clusters import cluster_numbers
from lcl_lab.analysis.quantiles import normal_tail

__all__ = ["DRAWS", "ENUMERATED", "cluster_mcnemar", "mcnemar_of_sums", "sign_flip_interval"]

ENUMERATED = 12
"""Clusters whose sign changes are all enumerated."""
DRAWS = 5_000
"""Sign changes drawn for more of them."""
_MANY = 200  # clusters with a change; above it the normal approximation is accurate
_ROUNDS, _PARTS = 4, 16  # in which the range of an end of the interval is divided: to 3e-5


def cluster_mcnemar(difference: ArrayLike, clusters: ArrayLike) -> float:
    """McNemar's exact test for clustered queries.

    The statistic is T = |Σ_c s_c|, s_c being the sum of the differences of cluster c (gains minus losses), as in
    cluster-adjusted tests (Durkalski et al. 2003). Its distribution is exact for outcomes of 0 and 1: under the null
    hypothesis each s_c has either sign with probability 1/2. With more than 200 clusters whose sum is not 0, the normal
    approximation with continuity correction is used. For other outcomes, such as VQA scores, the signs are enumerated
    for up to 12 clusters and drawn for more. If every query is its own cluster and outcomes are 0 and 1, this is
    McNemar's exact test.

    Args:
        difference: (N,) outcome under b minus outcome under a.
        clusters: (N,) the cluster of each query.

    Returns:
        The two-sided p-value.
    """
    return _Clusters.of(difference, clusters).p_value


def mcnemar_of_sums(sums: ArrayLike) -> NDArray[np.float64]:
    """The p-values of `cluster_mcnemar` of many studies at once, from the sums of their clusters.

    The distribution of Σ ± |s_c| comes from its characteristic function Π cos(t·|s_c|) at 2·Σ|s_c| + 1 points, which is
    exact up to rounding.

    Args:
        sums: (S, C) integers, gains minus losses of each cluster of each study.

    Returns:
        The (S,) two-sided p-values.
    """
    sizes = np.abs(np.asarray(sums, dtype=np.int64))
    observed = np.abs(np.asarray(sums).sum(axis=1))
    # Sums change in steps of 2, so the continuity correction is 1.
    spread = np.sqrt((sizes.astype(np.float64) ** 2).sum(axis=1))
    p_values = np.minimum(1.0, 2 * normal_tail((observed - 1) / np.maximum(spread, 1.0)))
    exact = (sizes > 0).sum(axis=1) <= _MANY
    if exact.any():
        p_values[exact] = _exact_tails(sizes[exact], observed[exact])
    return np.asarray(p_values, dtype=np.float64)


def sign_flip_interval(difference: ArrayLike, clusters: ArrayLike, level: float = 0.95) -> tuple[float, float]:
    """Interval of the mean difference by inversion of the sign-flip test: all δ that the test does not reject.

    It contains 0 exactly if `cluster_mcnemar` gives p > 1 − level.

    Args:
        difference: (N,) values in −1 … 1.
        clusters: (N,) the cluster of each value.
        level: coverage of the interval.

    Returns:
        The lower and upper end.
    """
    groups = _Clusters.of(difference, clusters)
    if groups.sums.sum() >= 0:
        return _interval(groups.sums.tobytes(), groups.counts.tobytes(), level)
    low, high = _interval(groups.mirrored.sums.tobytes(), groups.counts.tobytes(), level)
    return -high, -low


@lru_cache(maxsize=256)
def _interval(sums: bytes, counts: bytes, level: float) -> tuple[float, float]:
    """The interval of (C,) sums and counts. A difference, its odds ratio and its link score ask for the same one."""
    groups = _Clusters(np.frombuffer(sums), np.frombuffer(counts))
    rejects_zero = groups.p_value <= 1 - level
    return groups.lower_end(level, rejects_zero), -groups.mirrored.lower_end(level, rejects_zero)


@dataclass(frozen=True)
class _Clusters:
    """(C,) sums of the differences of each cluster, and their numbers."""

    sums: NDArray[np.float64]
    counts: NDArray[np.float64]

    @classmethod
    def of(cls, difference: ArrayLike, clusters: ArrayLike) -> _Clusters:
        names = cluster_numbers(clusters)
        sums = np.bincount(names, np.asarray(difference, dtype=np.float64))
        return cls(np.round(sums, 9), np.bincount(names).astype(np.float64))

    @property
    def mirrored(self) -> _Clusters:
        return _Clusters(-self.sums, self.counts)

    @property
    def p_value(self) -> float:
        sizes = np.abs(self.sums[self.sums != 0])
        observed = abs(float(self.sums.sum()))
        if not (sizes == np.rint(sizes)).all():
            larger = self if self.sums.sum() > 0 else self.mirrored
            return min(1.0, 2 * float(larger._tails(np.zeros(1))[0]))
        if len(sizes) > _MANY:
            # Sums change in steps of 2, so the continuity correction is 1.
            return min(1.0, float(2 * normal_tail((observed - 1) / np.sqrt((sizes**2).sum()))))
        return _exact_tail(sizes.astype(int), round(observed))

    def lower_end(self, level: float, rejects_zero: bool) -> float:
        """The smallest mean that is not rejected against a larger one.

        The decision about 0 is that of the exact test, so that interval and p-value agree.
        """
        estimate = float(self.sums.sum() / self.counts.sum())
        rejected, kept = -1.0, estimate
        if estimate > 0:
            rejected, kept = (0.0, estimate) if rejects_zero else (-1.0, 0.0)
        for _ in range(_ROUNDS):
            means = np.linspace(rejected, kept, _PARTS + 1)
            above = np.append(self._tails(means[1:-1]) > (1 - level) / 2, True)
            first = int(above.argmax())  # tails rise with the mean
            rejected, kept = means[first], means[first + 1]
        return float(kept)

    def _tails(self, means: NDArray[np.float64]) -> NDArray[np.float64]:
        """For each of some means, the probability of deviations whose sum is at least as large as the observed one."""
        deviations = (self.sums[:, None] - means * self.counts[:, None]).astype(np.float32)
        drawn = _signs(len(deviations)) @ np.abs(deviations)
        tolerance = 1e-4 * np.abs(deviations).max(axis=0).clip(1.0)  # of sums in single precision
        tails: NDArray[np.float64] = (drawn >= deviations.sum(axis=0) - tolerance).mean(axis=0)
        return tails


@lru_cache(maxsize=8)
def _signs(clusters: int) -> NDArray[np.float32]:
    """(D, C) all sign changes of a few clusters, or a fixed table of random ones.

    The table is the same for all data, so that results depend on nothing but the data and are monotone in them.
    """
    if clusters <= ENUMERATED:
        return np.array(list(product((-1, 1), repeat=clusters)), dtype=np.float32)
    drawn = np.random.default_rng(clusters).integers(0, 2, size=(DRAWS, clusters), dtype=np.int8)
    return (2 * drawn - 1).astype(np.float32)


def _exact_tails(sizes: NDArray[np.int64], observed: NDArray[np.int64]) -> NDArray[np.float64]:
    """(S,) probabilities that |Σ ± size| is at least `observed`, of (S, C) sizes."""
    reach = int(sizes.sum(axis=1).max())
    angles = 2 * np.pi * np.arange(reach + 1) / (2 * reach + 1)
    characteristic = np.ones((len(sizes), reach + 1))
    for size in np.unique(sizes[sizes > 0]):
        characteristic *= np.cos(size * angles) ** (sizes == size).sum(axis=1)[:, None]
    probability = np.fft.irfft(characteristic, n=2 * reach + 1)  # of the sums 0 to reach, then −reach to −1
    sums = np.abs(np.fft.fftfreq(2 * reach + 1, 1 / (2 * reach + 1)))
    tails = (probability * (sums >= observed[:, None] - 0.5)).sum(axis=1)
    return np.asarray(np.clip(tails, 0.0, 1.0), dtype=np.float64)


def _exact_tail(sizes: NDArray[np.int_], observed: int) -> float:
    """The probability that |Σ ± size| is at least `observed`."""
    probability = np.ones(1)  # of each signed sum, from −total to +total
    for size in sizes:
        gap = np.zeros(2 * size)
        probability = (np.concatenate([probability, gap]) + np.concatenate([gap, probability])) / 2
    total = len(probability) // 2
    return min(1.0, float(probability[np.abs(np.arange(-total, total + 1)) >= observed].sum()))
