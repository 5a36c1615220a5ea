"""Processes that share work, and end when the work is interrupted or the process that gave it out is killed."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from threading import Thread
from typing import TypeVar

import psutil
from loky import ProcessPoolExecutor
from loky.backend import resource_tracker

from lcl_lab.interrupts import without_interrupts

__all__ = ["map_in_processes"]

Result = TypeVar("Result")


@contextmanager
def map_in_processes(
    function: Callable[..., Result], *arguments: Iterable[object], workers: int
) -> Iterator[Iterator[Result]]:
    """Call a function with the items of iterables, as `map` does, in several processes.

    Args:
        function: a function of a module. Processes import that module but not the caller's script, which need not be
            importable: a notebook, a Streamlit page.
        *arguments: one iterable per argument, of the same length.
        workers: number of processes.

    Yields:
        The results, in the order of the arguments.
    """
    pool = ProcessPoolExecutor(workers, initializer=_end_with, initargs=(os.getpid(),))
    try:
        resource_tracker.ensure_running()  # loky starts it with the first worker, and would let Ctrl-C through again
        with without_interrupts():
            results = pool.map(function, *arguments)
        yield results
    except BaseException:
        pool.shutdown(kill_workers=True)  # otherwise it would wait for all that is left to do
        raise
    pool.shutdown()


def _end_with(parent: int) -> None:
    """Let a worker exit when its parent is killed; otherwise it would wait for work forever."""

    def watch() -> None:
        with suppress(psutil.NoSuchProcess):
            psutil.Process(parent).wait()
        os._exit(1)

    Thread(target=watch, daemon=True).start()
