"""Whether two frames hold the same records: exactly (a digest), or up to rounding (the first difference)."""

from __future__ import annotations

import hashlib
import json
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from lcl_lab.store.records import FIXED, RESERVED

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["records_digest", "same_records"]

_MEASURED = ("loglik_true", "loglik_other")
_IGNORED = ("seconds", *RESERVED)
_ANSWERED = (
    "answer",
    "tokens_true",
    "tokens_other",
    "score",
    "correct_open",
    "correct_candidate",
    "correct_candidate_raw",
)
_GIVEN = ("episode_id", "support", "support_id", "query_image", "question", "true_name", "other_name", "pair")


def records_digest(frame: pd.DataFrame) -> str:
    """sha256 of the records but for log-likelihoods and seconds; row and column order, and nulls, do not matter."""
    rows = sorted(_exact(row) for row in _rows(frame))
    return hashlib.sha256("\n".join(rows).encode()).hexdigest()


def same_records(a: pd.DataFrame, b: pd.DataFrame, tolerance: float = 1e-4) -> str | None:
    """The first difference in one line, or None when a and b hold the same records, in whatever order.

    Log-likelihoods may differ by `tolerance` (absolute, nats); seconds, and where the records lie, do not count.
    """
    first, second = _sorted(a), _sorted(b)
    for left, right in zip_longest(first, second):
        # The one that sorts first has no partner in the other frame.
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
    """What is asked, of whom, under which condition; all columns but those that say how it went."""
    return _text({name: value for name, value in row.items() if name not in (*_MEASURED, *_ANSWERED, *_GIVEN)})


def _rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    names = [str(name) for name in frame.columns]
    kept = [name for name in names if name not in _IGNORED]
    columns = [[_plain(value) for value in frame[name].array] for name in kept]
    # A condition column that is null is the same as one that is not there.
    return [
        {name: value for name, value in zip(kept, values, strict=True) if value is not None}
        for values in zip(*columns, strict=True)
    ]


def _plain(value: Any) -> Any:
    """The value as JSON has it, whatever pandas or numpy made of it: 4.0 as 4, NaN and NA as None."""
    import pandas as pd

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
    return bool(a == b or abs(a - b) <= tolerance)
