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

    Names are hashed, and only different ones are sorted: sorting those of a million records takes seconds.

    Args:
        clusters: (N,) names or numbers of clusters.

    Raises:
        ValueError: a value has no cluster.
    """
    names = clusters if isinstance(clusters, pd.Series | pd.Index | pd.Categorical) else np.asarray(clusters)
    found, different = pd.factorize(names)
    if (found < 0).any():
        raise ValueError("a value has no cluster")
    order = np.asarray(different)
    if order.dtype.kind not in "iufbU":
        order = order.astype(str)
    return np.asarray(np.unique(order, return_inverse=True)[1][found], dtype=np.intp)


def count_clusters(numbers: NDArray[np.intp]) -> int:
    """The number of clusters, given those of `cluster_numbers`."""
    return int(numbers.max(initial=-1)) + 1
