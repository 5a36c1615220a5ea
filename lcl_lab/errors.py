"""The one way to say that the user asked for something that cannot be done."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

__all__ = ["UserError", "nearest"]


class UserError(Exception):
    """A mistake of the user's: one line that says what, where, and the nearest right value.

    Programs print it and exit with code 2; it never shows a traceback.
    """


def nearest(wrong: str, right: Iterable[str]) -> str:
    """A hint for the end of an error line: the closest right value, or all of them."""
    options = sorted(right)
    close = get_close_matches(wrong, options, n=1, cutoff=0.5)
    if close:
        return f"did you mean {close[0]!r}?"
    return f"choose from {', '.join(options)}"
