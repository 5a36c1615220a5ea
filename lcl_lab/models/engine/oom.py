"""Goes on where memory runs out: a batch is cut in two, and later ones are half as large."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, TypeVar

import torch

from lcl_lab.errors import UserError

__all__ = ["split_on_oom"]

Item = TypeVar("Item")
Result = TypeVar("Result")
_log = logging.getLogger(__name__)


class _Batched(Protocol):
    batch_size: int


def split_on_oom(
    items: Sequence[Item], step: Callable[[Sequence[Item]], Result], reader: _Batched, what: str = "prompts"
) -> Iterator[tuple[Sequence[Item], Result]]:
    """The items with what `step` makes of them, in as many parts as memory asks for.

    Raises:
        UserError: one item alone is too much.
    """
    try:
        result = step(items)
    except (MemoryError, RuntimeError) as error:
        if not _is_memory(error):
            raise
        if len(items) == 1:
            raise UserError(
                f"out of memory with {what} one at a time; take fewer shots, a smaller --dtype or a larger machine"
            ) from error
    else:
        yield items, result
        return
    torch.cuda.empty_cache()
    half = (len(items) + 1) // 2
    reader.batch_size = min(reader.batch_size, half)
    _log.warning("out of memory with %d %s at once; going on with %d", len(items), what, half)
    yield from split_on_oom(items[:half], step, reader, what)
    yield from split_on_oom(items[half:], step, reader, what)


def _is_memory(error: BaseException) -> bool:
    """A GPU's, Python's, or torch's own on a CPU, which has no class."""
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or "can't allocate memory" in str(error)
