"""Ranges in place of values in the options of a sweep, with the names of Ray Tune: ``{loguniform: [1e-5, 1e-3]}``."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lcl_lab.atomic import canonical_json
from lcl_lab.errors import UserError, nearest

__all__ = ["KINDS", "Range", "find_range"]

KINDS = ("grid", "choice", "uniform", "loguniform", "randint", "lograndint")
"""Names of ranges; both ends of an interval are included."""

_LISTS = ("grid", "choice")
_LOGARITHMIC = ("loguniform", "lograndint")
_INTEGER = ("randint", "lograndint")
_DIGITS = 6  # significant digits of drawn numbers, so that they are readable


@dataclass(frozen=True)
class Range:
    """Values of which each trial has one.

    Attributes:
        kind: one of `KINDS`.
        values: all values of a list, or the two ends of an interval.
    """

    kind: str
    values: tuple[Any, ...]

    @property
    def is_grid(self) -> bool:
        """Whether every value is tried, instead of drawn."""
        return self.kind == "grid"

    @property
    def is_list(self) -> bool:
        """Whether the range is a list of values instead of an interval of numbers."""
        return self.kind in _LISTS

    @property
    def is_logarithmic(self) -> bool:
        """Whether ratios of values matter, rather than differences."""
        return self.kind in _LOGARITHMIC

    @property
    def is_integer(self) -> bool:
        """Whether the range is an interval of integers."""
        return self.kind in _INTEGER

    @property
    def count(self) -> float:
        """The number of values; infinite for an interval of real numbers."""
        if self.is_list:
            return len(self.values)
        return self.values[1] - self.values[0] + 1 if self.is_integer else math.inf

    @property
    def probes(self) -> tuple[Any, ...]:
        """Values that show whether the range is valid: all of a list, or the ends of an interval."""
        return self.values

    @property
    def between(self) -> float:
        """A number of an interval that is hardly an integer, nor of few digits."""
        low, high = self.values
        return self.rounded(low + 0.381966 * (high - low))

    def draw(self, rng: np.random.Generator) -> Any:
        """A value at random.

        Args:
            rng: the source of randomness.
        """
        if self.is_list:
            return self.values[int(rng.integers(len(self.values)))]
        low, high = self.values
        match self.kind:
            case "uniform":
                return self.rounded(rng.uniform(low, high))
            case "loguniform":
                return self.rounded(math.exp(rng.uniform(math.log(low), math.log(high))))
            case "randint":
                return int(rng.integers(low, high, endpoint=True))
            case _:
                return min(int(math.exp(rng.uniform(math.log(low), math.log(high + 1)))), high)

    def rounded(self, number: float) -> float:
        """A number of an interval with few digits, within the interval."""
        low, high = self.values
        return min(max(float(f"{number:.{_DIGITS}g}"), low), high)


def find_range(option: str, value: object) -> Range | None:
    """The range that is given for an option; None for any other value.

    Args:
        option: its name.
        value: what the file has; a mapping whose only key is one of `KINDS` is a range.

    Raises:
        UserError: the range has no value, or its ends are wrong.
    """
    if not isinstance(value, Mapping) or len(value) != 1:
        return None
    ((kind, values),) = value.items()
    if kind not in KINDS:
        _refuse_misspelt(option, str(kind), values)
        return None
    if not isinstance(values, list | tuple):
        raise UserError(f"{kind} needs a list, such as {_EXAMPLES[kind]}", option=option, value=str(values))
    range_ = Range(kind, tuple(_plain(option, values)))
    _check_list(option, range_) if range_.is_list else _check_interval(option, range_)
    return range_


_EXAMPLES = {
    "grid": "[4, 8]",
    "choice": "[4, 8]",
    "uniform": "[0.1, 0.5]",
    "loguniform": "[1e-5, 1e-3]",
    "randint": "[1, 4]",
    "lograndint": "[4, 64]",
}


def _plain(option: str, values: Sequence[Any]) -> list[Any]:
    """The values as a file has them: trials and their marks are stored as JSON."""
    try:
        plain: list[Any] = json.loads(json.dumps(list(values), default=_path_as_text, allow_nan=False))
    except (TypeError, ValueError):
        reason = "a range must consist of finite numbers, texts, true, false, null, and lists of these"
        raise UserError(reason, option=option) from None
    return plain


def _path_as_text(value: object) -> str:
    if isinstance(value, Path):
        return str(value)
    raise TypeError


def _refuse_misspelt(option: str, kind: str, values: object) -> None:
    """An unknown kind of range; options whose values are mappings have other keys, or no lists in them."""
    hint = nearest(kind, KINDS)
    if isinstance(values, list | tuple) and hint.startswith("did you mean"):
        raise UserError(f"unknown range; {hint}", option=option, value=kind)


def _check_list(option: str, range_: Range) -> None:
    if not range_.values:
        raise UserError(f"{range_.kind} needs at least one value", option=option)
    if len({canonical_json(value) for value in range_.values}) < len(range_.values):
        raise UserError(f"{range_.kind} must not repeat a value", option=option, value=list(range_.values))


def _check_interval(option: str, range_: Range) -> None:
    kind, ends = range_.kind, range_.values
    number = int if range_.is_integer else int | float
    if len(ends) != 2 or not all(isinstance(end, number) and not isinstance(end, bool) for end in ends):
        numbers = "integers" if range_.is_integer else "numbers"
        reason = f"{kind} needs two {numbers}, the least and the greatest, such as {_EXAMPLES[kind]}"
        raise UserError(reason, option=option, value=list(ends))
    if not ends[0] < ends[1]:
        raise UserError(f"{kind} must have its least value first", option=option, value=list(ends))
    if range_.is_logarithmic and ends[0] <= 0:
        reason = f"{kind} must be above 0, since it is logarithmic; use {kind.removeprefix('log')}"
        raise UserError(reason, option=option, value=list(ends))
