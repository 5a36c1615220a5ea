"""Several tests at once: p-values that stay honest over a family of comparisons."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

__all__ = ["adjust"]


def adjust(p_values: Sequence[float]) -> pd.DataFrame:
    """One row a test, in order: `p`; `holm`, which keeps the chance of any false finding (Holm 1979); `bh`, which
    keeps the share of false ones among the findings (Benjamini and Hochberg 1995). A missing p-value (nan) is of a
    test that could not be made: it stays missing and does not count.
    """
    from statsmodels.stats.multitest import multipletests

    given = np.asarray(p_values, float)
    made = ~np.isnan(given)
    columns = {"p": given}
    for name, method in (("holm", "holm"), ("bh", "fdr_bh")):
        columns[name] = np.full(len(given), np.nan)
        if made.any():
            columns[name][made] = multipletests(given[made], method=method)[1]
    return pd.DataFrame(columns)
