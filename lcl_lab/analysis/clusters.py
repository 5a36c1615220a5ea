"""Clusters as numbers.

Letters: N values, C clusters.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

__all__ = ["cluster_numbers", "count_clusters"]


def cluster_numbers(clusters: Any) -> NDArray[np.intp]:
    """The cluster of each value as a number from 0 to C − 1, in the order of the sorted names.

    Names are hashed, and only different ones are sorted: sorting those of a million records takes seconds. Small
    numbers, such as those that this function returns, are only counted.

    Args:
        clusters: (N,) names or numbers of clusters.

    Raises:
        ValueError: a value has no cluster.
    """
    names = clusters if isinstance(clusters, pd.Series | pd.Index | pd.Categorical) else np.asarray(clusters)
    if isinstance(names, np.ndarray) and names.dtype.kind in "iu" and _are_small(names):
        occurs = np.bincount(names) > 0
        return np.asarray((np.cumsum(occurs) - 1)[names], dtype=np.intp)
    found, different = pd.factorize(names)
    if (found < 0).any():
        raise ValueError("a value has no cluster")
    order = np.asarray(different)
    if order.dtype.kind not in "iufbU":
        order = order.astype(str)
    return np.asarray(np.unique(order, return_inverse=True)[1][found], dtype=np.intp)


def _are_small(numbers: NDArray[np.integer[Any]]) -> bool:
    """Whether there is a list of all numbers up to the largest that is not much longer than the values."""
    return bool(len(numbers) and numbers.min() >= 0 and numbers.max() <= 2 * len(numbers))


def count_clusters(numbers: NDArray[np.intp]) -> int:
    """The number of clusters, given those of `cluster_numbers`."""
    return int(numbers.max(initial=-1)) + 1
