"""Ctrl-C: it ends a command with one line and exit code 130 at any moment, and is left to the main process alone."""

from __future__ import annotations

import atexit
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

__all__ = ["EXIT_CODE", "MESSAGE", "exit_on_interrupt", "interruptible", "runs_as_command", "without_interrupts"]

MESSAGE = "interrupted; the same command resumes from what is stored"
EXIT_CODE = 130
_PAUSE = 0.1  # seconds until a swallowed interrupt is repeated, out of the function that swallowed it


def runs_as_command() -> bool:
    """Whether this process is `lcl` or `python -m lcl_lab.…`, to be called while it imports this package.

    A program of a user that imports the package decides about Ctrl-C itself.
    """
    if sys.argv[:1] != ["-m"]:  # what Python puts there until it has found the module
        return Path(sys.argv[0]).stem == "lcl" if sys.argv else False
    module = sys.orig_argv[sys.orig_argv.index("-m") + 1 :][:1] if "-m" in sys.orig_argv else []
    return [name.partition(".")[0] for name in module] == ["lcl_lab"]


def exit_on_interrupt() -> None:
    """From now on, end at once when interrupted: during imports and at the exit there is nothing to clean up.

    An exception would not do, since imports turn it into others or ignore it. Nothing changes where SIGINT is ignored,
    as in the background of a shell, or handled already.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _exit)
        # The interpreter removes handlers before it ends. This was registered first, so it is called last.
        atexit.register(signal.signal, signal.SIGINT, signal.SIG_IGN)


@contextmanager
def interruptible() -> Iterator[None]:
    """Raise KeyboardInterrupt from the block when it is interrupted, whatever libraries do to that exception.

    One that is turned into another exception is raised again at the end of the block, and one that is swallowed, by a
    library in C++ or because it was raised in a finalizer, is raised again at once. A second Ctrl-C ends the process
    without waiting for what is being cleaned up.
    """
    previous = signal.getsignal(signal.SIGINT)
    in_main_thread = threading.current_thread() is threading.main_thread()
    if not in_main_thread or previous not in (signal.default_int_handler, _exit):
        yield
        return
    interrupted, swallowed, ended = threading.Event(), threading.Event(), threading.Event()

    def interrupt(number: int, frame: Any) -> NoReturn:
        if interrupted.is_set() and not swallowed.is_set():
            _exit(number, frame)
        interrupted.set()
        swallowed.clear()
        raise _Interrupted(repeat)

    def repeat() -> None:
        if not ended.is_set():
            swallowed.set()
            threading.Timer(_PAUSE, interrupt_again).start()

    def interrupt_again() -> None:
        if not ended.is_set():
            signal.raise_signal(signal.SIGINT)

    print_unraisable = sys.unraisablehook

    def print_others(unraisable: Any) -> None:
        if unraisable.exc_type is not _Interrupted:
            print_unraisable(unraisable)

    signal.signal(signal.SIGINT, interrupt)
    sys.unraisablehook = print_others
    try:
        yield
    except Exception as error:
        if interrupted.is_set():
            raise KeyboardInterrupt from error
        raise
    finally:
        ended.set()
        sys.unraisablehook = print_unraisable
        signal.signal(signal.SIGINT, previous)


@contextmanager
def without_interrupts() -> Iterator[None]:
    """Processes that are started in the block never receive Ctrl-C, which a terminal sends to all processes.

    This process receives it when the block ends.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class _Interrupted(KeyboardInterrupt):
    """An interrupt that calls a function when nothing refers to it any more: when it has been handled or swallowed.

    The class matters too: CPython ends by the signal where KeyboardInterrupt itself has left an `exec`, even if it was
    handled then.
    """

    def __init__(self, on_end: Callable[[], None]) -> None:
        super().__init__()
        self._on_end = on_end

    def __del__(self) -> None:
        self._on_end()


def _exit(number: int, frame: Any) -> NoReturn:
    os.write(2, f"{MESSAGE}\n".encode())
    os._exit(EXIT_CODE)
