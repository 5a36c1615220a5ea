"""Checks of arguments that are shared by the functions of this package."""

from __future__ import annotations

from numbers import Integral, Real

from lcl_lab.errors import UserError
from lcl_lab.type_checks import LARGEST_INTEGER

__all__ = ["check_fraction", "check_integer"]


def check_integer(option: str, value: object, least: int = 0, most: int = LARGEST_INTEGER) -> None:
    """Check that an argument is an integer of a range.

    Args:
        option: the name of the argument.
        value: its value.
        least: the smallest valid value.
        most: the largest valid value.

    Raises:
        UserError: it is not.
    """
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise UserError("must be an integer", option=option, value=value)
    if int(value) < least:
        raise UserError(f"must be at least {least}", option=option, value=value)
    if int(value) > most:
        raise UserError(f"must be at most {most}", option=option, value=value)


def check_fraction(option: str, value: object) -> None:
    """Check that an argument is a number from 0 to 1.

    Raises:
        UserError: it is not.
    """
    if isinstance(value, bool) or not isinstance(value, Real) or not 0 <= float(value) <= 1:
        raise UserError("must be a number from 0 to 1", option=option, value=value)
