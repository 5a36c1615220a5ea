"""Progress bars with the time left, on standard error, so that standard output stays for results."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

from rich.console import Console
from rich.progress import track as rich_track

__all__ = ["track"]

Item = TypeVar("Item")


def track(items: Iterable[Item], description: str, total: int | None = None) -> Iterator[Item]:
    """The items, with a bar that moves as they are used."""
    return iter(rich_track(items, description, total, console=Console(stderr=True)))
