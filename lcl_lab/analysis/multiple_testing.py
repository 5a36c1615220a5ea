"""P-values adjusted for a family of tests.

The functions of statsmodels collect garbage at every call, which takes 0.2 s, and load `scipy.stats`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

__all__ = ["adjust"]


def adjust(p_values: Sequence[float | None]) -> pd.DataFrame:
    """Adjust the p-values of a family of tests.

    Args:
        p_values: one per test; nan or None for a test that could not be made, which becomes nan and does not count.

    Returns:
        One row per test, in order, with the columns ``p``; ``holm``, which controls the probability of any false
        positive (Holm 1979); and ``bh``, which controls the expected share of false positives among the positives
        (Benjamini and Hochberg 1995).
    """
    values = np.asarray(p_values, float)
    tested = ~np.isnan(values)
    columns = {"p": values}
    for name, adjusted in (("holm", _holm), ("bh", _benjamini_hochberg)):
        columns[name] = np.full(len(values), np.nan)
        if tested.any():
            columns[name][tested] = adjusted(values[tested])
    return pd.DataFrame(columns)


def _holm(p_values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Holm's step-down values."""
    order = np.argsort(p_values)
    factors = np.arange(len(p_values), 0, -1)
    adjusted = np.empty_like(p_values)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(p_values[order] * factors))
    return adjusted


def _benjamini_hochberg(p_values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Benjamini and Hochberg's step-up values."""
    order = np.argsort(p_values)
    ranks = np.arange(1, len(p_values) + 1)
    adjusted = np.empty_like(p_values)
    adjusted[order] = np.minimum(1.0, np.minimum.accumulate((p_values[order] / (ranks / len(ranks)))[::-1])[::-1])
    return adjusted
