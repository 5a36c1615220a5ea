"""Compares the records in two frames: exactly, by a digest, or up to rounding, by their first difference."""

from __future__ import annotations

import hashlib
import json
from itertools import zip_longest
from typing import Any

import pandas as pd

from lcl_lab.store.records import FIXED, RESERVED

__all__ = ["records_digest", "same_records"]

_MEASURED = ("loglik_true", "loglik_other", "loglik_others", "token_logliks")
_IGNORED = ("seconds", *RESERVED)
_IDENTIFYING = ("study", "model", "data", "seed", "query_id")  # with the condition


def records_digest(frame: pd.DataFrame) -> str:
    """The sha256 of records without log-likelihoods and seconds. Row order, column order and nulls do not matter."""
    rows = sorted(_exact(row) for row in _rows(frame))
    return hashlib.sha256("\n".join(rows).encode()).hexdigest()


def same_records(a: pd.DataFrame, b: pd.DataFrame, tolerance: float = 1e-4) -> str | None:
    """Compare the records of two frames, in any order. Seconds, run and file are ignored.

    Args:
        a: the first frame.
        b: the second frame.
        tolerance: the greatest difference between log-likelihoods, in nats.

    Returns:
        The first difference in one line, or None if there is none.
    """
    first, second = _sorted(a), _sorted(b)
    for left, right in zip_longest(first, second):
        # Of two different records, the one that sorts first is missing in the other frame.
        if right is None or (left is not None and _identity(left) < _identity(right)):
            return f"only in the first: {_identity(left)}"
        if left is None or _identity(left) != _identity(right):
            return f"only in the second: {_identity(right)}"
        for name in FIXED:
            x, y = left.get(name), right.get(name)
            if not (_close(x, y, tolerance) if name in _MEASURED else x == y):
                return f"{name} is {_text(x)} in the first and {_text(y)} in the second: {_identity(left)}"
    return None


def _sorted(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return sorted(_rows(frame), key=lambda row: (_identity(row), _exact(row)))


def _exact(row: dict[str, Any]) -> str:
    return _text({name: value for name, value in row.items() if name not in _MEASURED})


def _identity(row: dict[str, Any]) -> str:
    """The query, model and condition."""
    return _text({name: value for name, value in row.items() if name in _IDENTIFYING or name not in FIXED})


def _rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    names = [str(name) for name in frame.columns]
    compared = [name for name in names if name not in _IGNORED]
    columns = [[_plain(value) for value in frame[name].array] for name in compared]
    # A null in a condition column means the same as no such column.
    return [
        {name: value for name, value in zip(compared, values, strict=True) if value is not None}
        for values in zip(*columns, strict=True)
    ]


def _plain(value: Any) -> Any:
    """A value of pandas or numpy as JSON has it: 4.0 as 4, NaN and NA as None."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if pd.isna(value):
        return None
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def _close(a: Any, b: Any, tolerance: float) -> bool:
    if a is None or b is None:
        return a is b
    if isinstance(a, list):
        return len(a) == len(b) and all(_close(x, y, tolerance) for x, y in zip(a, b, strict=True))
    return bool(a == b or abs(a - b) <= tolerance)
