"""Checks of the types of arguments, for functions that notebooks call."""

from __future__ import annotations

from lcl_lab.errors import UserError

__all__ = ["LARGEST_INTEGER", "check_type"]

LARGEST_INTEGER = 2**63 - 1
"""The largest integer that records can store."""


def check_type(value: object, expected: type | tuple[type, ...], option: str, hint: str = "") -> None:
    """Refuse an argument of another type.

    Args:
        value: the argument.
        expected: the type, or the types, that it may have.
        option: the name of the argument.
        hint: what to do instead.

    Raises:
        UserError: the argument has another type.
    """
    if not isinstance(value, expected):
        types = expected if isinstance(expected, tuple) else (expected,)
        wanted = " or ".join(f"{'an' if t.__name__[0] in 'AEIOUaeiou' else 'a'} {t.__name__}" for t in types)
        raise UserError(f"must be {wanted}, not {type(value).__name__}{hint and '; ' + hint}", option=option)
