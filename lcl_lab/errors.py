"""The exception for mistakes of the user, and hints at the nearest valid value."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from lcl_lab.control_characters import escape_controls

__all__ = ["UserError", "nearest", "nearest_values", "shorten"]

_LONGEST = 500  # characters of a value in an error line


class UserError(Exception):
    """A request that cannot be met, with one line that says what is wrong and how to correct it.

    Commands print the line and exit with code 2; a traceback is never shown for it.

    Args:
        reason: what is wrong, and the nearest valid value where there is one.
        option: the option or argument that is wrong, as a Python name such as ``queries_per_support``.
        value: the value that it was given.
    """

    def __init__(self, reason: str, *, option: str | None = None, value: object = None) -> None:
        self.reason, self.option, self.value = reason, option, value
        super().__init__(reason)

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (self.reason, self.option, self.value)

    def __str__(self) -> str:
        return self._line(self.option)

    def for_command_line(self) -> str:
        """The line with the option written as on a command line: ``--queries-per-support 3: …``."""
        return self._line(self.option and f"--{self.option.replace('_', '-')}")

    def _line(self, option: str | None) -> str:
        value = "" if self.value is None else shorten(_text(self.value))
        where = f"{option} {value}: " if option and value else f"{option}: " if option else ""
        return escape_controls(f"{where}{self.reason}")  # a value or a server's message may contain anything


def shorten(text: str) -> str:
    """Text for an error line: the middle of a long one is left out."""
    half = _LONGEST // 2
    return text if len(text) <= _LONGEST else f"{text[:half]}…{text[-half:]}"


def nearest(wrong: str, valid: Iterable[str], prefix: str = "") -> str:
    """A hint for the end of an error line: the closest valid value, or all of them.

    Args:
        wrong: the value that was given.
        valid: the valid values.
        prefix: what all of them begin with, which would make them similar to each other.
    """
    options = sorted(valid)
    without = {option.removeprefix(prefix): option for option in options}
    wrong = shorten(wrong).removeprefix(prefix)
    longer = [option for option in without if wrong and option.startswith(wrong)]
    close = longer[:1] or get_close_matches(wrong, without, n=1, cutoff=0.5)
    if close:
        return f"did you mean {without[close[0]]!r}?"
    return f"choose from {', '.join(options)}"


def nearest_values(wrong: str, valid: Iterable[str], count: int = 3) -> str:
    """A hint for the end of an error line: the closest valid values, where there may be too many to list all."""
    close = get_close_matches(shorten(wrong), sorted(valid), n=count, cutoff=0.0)
    return f"the nearest are {', '.join(map(repr, close))}"


def _text(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _rebuild(reason: str, option: str | None, value: object) -> UserError:
    """Exceptions cross process boundaries by pickle, which does not keep keyword arguments."""
    return UserError(reason, option=option, value=value)
