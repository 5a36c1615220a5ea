"""Amounts with their units as text: times and file sizes."""

from __future__ import annotations

from lcl_lab.reporting.text import format_number

__all__ = ["format_duration", "format_latency", "format_size"]

_SPANS = ((86_400, "d", 3_600, "h"), (3_600, "h", 60, "min"), (60, "min", 1, "s"))
"""Seconds and name of a unit of time, and of the smaller one that is given with it; the largest first."""
_PARTS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"))
"""Sizes of units of time in seconds, and their names."""
_UNITS = ("B", "kB", "MB", "GB", "TB")


def format_duration(seconds: float) -> str:
    """A time as people say it: `8 s`, `1 min 20 s`, `2 h 5 min`, `3 d 4 h`."""
    whole = round(max(0.0, seconds))
    for size, name, part, rest in _SPANS:
        if whole >= size:
            return f"{whole // size} {name} {whole % size // part} {rest}"
    return f"{whole} s"


def format_latency(seconds: float) -> str:
    """The time of one answer, with a unit that suits it: `59 µs`, `4.2 ms`, `940 ms`, `3.2 s`, `1 min 20 s`."""
    if seconds >= 10:
        return format_duration(seconds)
    size, name = next((unit for unit in _PARTS if seconds >= unit[0]), _PARTS[-1])
    value = max(0.0, seconds) / size
    return f"{format_number(value, '.0f' if value >= 10 else '.1f')} {name}"


def format_size(size: int) -> str:
    """A number of bytes: `812 B`, `3.4 MB`."""
    power = min((len(str(size)) - 1) // 3, len(_UNITS) - 1)
    return f"{size / 1_000**power:.{1 if power else 0}f} {_UNITS[power]}"
