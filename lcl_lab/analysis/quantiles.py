"""The normal and Student's distribution, by the functions of `scipy.special` that `scipy.stats` calls for them.

`scipy.stats` takes longer to import than all else that the first page of the dashboard computes with, and its calls
take 50 times as long.
"""

from __future__ import annotations

from typing import Any

from scipy import special

__all__ = ["normal_cdf", "normal_quantile", "normal_tail", "student_quantile"]


def normal_cdf(value: Any) -> Any:
    """The probability of a value that is at most the given one; a number, or an array for an array."""
    return special.ndtr(value)


def normal_tail(value: Any) -> Any:
    """The probability of a larger value; as `normal_cdf`."""
    return special.ndtr(-value)


def normal_quantile(probability: Any) -> Any:
    """The inverse of `normal_cdf`."""
    return special.ndtri(probability)


def student_quantile(probability: Any, freedom: Any) -> Any:
    """The quantile of Student's t distribution; as `normal_cdf`."""
    return special.stdtrit(freedom, probability)
