"""Amounts with their units as text: times and file sizes."""

from __future__ import annotations

__all__ = ["format_duration", "format_size"]

_SPANS = ((86_400, "d", 3_600, "h"), (3_600, "h", 60, "min"), (60, "min", 1, "s"))
"""Seconds and name of a unit of time, and of the smaller one that is given with it; the largest first."""
_UNITS = ("B", "kB", "MB", "GB", "TB")


def format_duration(seconds: float) -> str:
    """A time as people say it: `8 s`, `1 min 20 s`, `2 h 5 min`, `3 d 4 h`."""
    whole = round(max(0.0, seconds))
    for size, name, part, rest in _SPANS:
        if whole >= size:
            return f"{whole // size} {name} {whole % size // part} {rest}"
    return f"{whole} s"


def format_size(size: int) -> str:
    """A number of bytes: `812 B`, `3.4 MB`."""
    power = min((len(str(size)) - 1) // 3, len(_UNITS) - 1)
    return f"{size / 1_000**power:.{1 if power else 0}f} {_UNITS[power]}"
