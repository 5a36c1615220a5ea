"""P-values adjusted for a family of tests."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
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
    for name, method in (("holm", "holm"), ("bh", "fdr_bh")):
        columns[name] = np.full(len(values), np.nan)
        if tested.any():
            columns[name][tested] = multipletests(values[tested], method=method)[1]
    return pd.DataFrame(columns)
