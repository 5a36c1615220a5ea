"""Selections of records that copy nothing where the records lie together, as stored records of a condition do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

__all__ = ["rows_of", "select_rows"]


def rows_of(frame: pd.DataFrame, condition: Mapping[str, Any]) -> pd.DataFrame:
    """The rows that have all values of a condition; missing values are equal to nothing.

    Args:
        frame: N rows with the columns of the condition.
        condition: a value by column.
    """
    mask = np.ones(len(frame), dtype=bool)
    for name, value in condition.items():
        mask &= (frame[name] == value).to_numpy(dtype=bool, na_value=False)
    return select_rows(frame, mask)


def select_rows(frame: pd.DataFrame, mask: ArrayLike) -> pd.DataFrame:
    """The rows of a frame where a mask is true, with all columns.

    Args:
        frame: N rows.
        mask: (N,) booleans.
    """
    chosen = np.flatnonzero(np.asarray(mask, dtype=bool))
    if len(chosen) and chosen[-1] - chosen[0] + 1 == len(chosen):
        return frame.iloc[chosen[0] : chosen[-1] + 1]
    return frame.iloc[chosen]
