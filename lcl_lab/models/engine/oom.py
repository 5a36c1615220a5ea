"""Recovery from running out of memory: a batch is split in two, and later batches are half as large."""

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
    items: Sequence[Item], step: Callable[[Sequence[Item]], Result], owner: _Batched, what: str = "prompts"
) -> Iterator[tuple[Sequence[Item], Result]]:
    """Apply a function to a batch, in as few parts as memory allows.

    Args:
        items: the batch.
        step: processes a batch or a part of it.
        owner: its `batch_size` is reduced to the size that fits.
        what: plural name of the items, for messages.

    Yields:
        Each part with its result, in order.

    Raises:
        UserError: a single item does not fit.
    """
    try:
        result = step(items)
    except (MemoryError, RuntimeError) as error:
        if not _is_out_of_memory(error):
            raise
        if len(items) == 1:
            reason = f"out of memory with a batch of one of the {what}"
            raise UserError(f"{reason}; use fewer shots, a smaller dtype or a larger machine") from error
    else:
        yield items, result
        return
    torch.cuda.empty_cache()
    half = (len(items) + 1) // 2
    owner.batch_size = min(owner.batch_size, half)
    _log.warning("out of memory with a batch of %d %s; continuing with %d", len(items), what, half)
    yield from split_on_oom(items[:half], step, owner, what)
    yield from split_on_oom(items[half:], step, owner, what)


def _is_out_of_memory(error: BaseException) -> bool:
    """Whether a GPU, Python, or torch on a CPU (without an exception class for it) ran out of memory."""
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or "can't allocate memory" in str(error)
