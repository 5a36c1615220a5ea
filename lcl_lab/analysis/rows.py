"""Selections of records that copy nothing where the records lie together, as stored records of a condition do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

__all__ = ["has_values", "rows_of", "select_rows"]

Rows = TypeVar("Rows", pd.DataFrame, pd.Series)


def rows_of(frame: pd.DataFrame, condition: Mapping[str, Any]) -> pd.DataFrame:
    """The rows that have all values of a condition; missing values are equal to nothing.

    Args:
        frame: N rows with the columns of the condition.
        condition: a value by column.
    """
    return select_rows(frame, has_values(frame, condition))


def has_values(frame: pd.DataFrame, condition: Mapping[str, Any]) -> NDArray[np.bool_]:
    """(N,) whether each row has all values of a condition; arguments as of `rows_of`."""
    mask = np.ones(len(frame), dtype=bool)
    for name, value in condition.items():
        mask &= (frame[name] == value).to_numpy(dtype=bool, na_value=False)
    return mask


def select_rows(frame: Rows, mask: ArrayLike) -> Rows:
    """The rows of a frame where a mask is true, with all columns, or such values of one column.

    Args:
        frame: N rows.
        mask: (N,) booleans.
    """
    chosen = np.flatnonzero(np.asarray(mask, dtype=bool))
    if len(chosen) and chosen[-1] - chosen[0] + 1 == len(chosen):
        return frame.iloc[chosen[0] : chosen[-1] + 1]
    return frame.iloc[chosen]
