"""An option whose values were searched: its range, as far as analysis and figures need it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

__all__ = ["SearchedOption"]


@dataclass(frozen=True)
class SearchedOption:
    """An option with a range, for analysis and figures.

    Attributes:
        name: what users call it.
        kind: of the range: ``"list"``, ``"real"`` or ``"integer"``.
        values: all values of a list, or the two ends of an interval.
        is_logarithmic: whether the interval was searched on a logarithmic scale.
    """

    name: str
    kind: Literal["list", "real", "integer"]
    values: tuple[Any, ...]
    is_logarithmic: bool = False
