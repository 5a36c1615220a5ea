"""Progress bars with the time left, on standard error, so that standard output stays for results."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sized
from typing import TypeVar

from rich.progress import Progress

from lcl_lab.safe_console import SafeConsole

__all__ = ["track"]

Item = TypeVar("Item")


def track(items: Iterable[Item], description: str, total: int | None = None, delay: float = 0.0) -> Iterator[Item]:
    """Iterate with a progress bar.

    Args:
        items: anything to iterate over.
        description: the text in front of the bar.
        total: the number of items; the length of `items` by default.
        delay: seconds before the bar appears, so that short loops show none.

    Yields:
        The items.
    """
    if total is None and isinstance(items, Sized):
        total = len(items)
    bar = Progress(console=SafeConsole(stderr=True, force_jupyter=False))
    task = bar.add_task(description, total=total)
    start = time.monotonic()
    try:
        for item in items:
            if not bar.live.is_started and time.monotonic() - start >= delay:
                bar.start()
            yield item
            bar.advance(task)
    finally:
        if bar.live.is_started:
            bar.stop()
