"""P-values adjusted for a family of tests."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from statsmodels.stats.multitest import multipletests

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
    for name, adjusted in (("holm", _holm), ("bh", lambda p: multipletests(p, method="fdr_bh")[1])):
        columns[name] = np.full(len(values), np.nan)
        if tested.any():
            columns[name][tested] = adjusted(values[tested])
    return pd.DataFrame(columns)


def _holm(p_values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Holm's step-down values. The function of statsmodels collects garbage at every call, which takes 0.2 s."""
    order = np.argsort(p_values)
    factors = np.arange(len(p_values), 0, -1)
    adjusted = np.empty_like(p_values)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(p_values[order] * factors))
    return adjusted
