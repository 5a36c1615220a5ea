"""Locks that a process holds while it writes a folder, and that the operating system releases when it dies."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from lcl_lab.errors import UserError

__all__ = ["PROBED", "is_held", "locked"]

PROBED = 0.5
"""Seconds to wait for a lock at least: longer than `is_held` of another process holds it."""


@contextmanager
def locked(
    path: Path, message: str, *, wait: float = PROBED, option: str | None = None, value: object = None
) -> Iterator[None]:
    """Hold a lock while the block runs.

    Args:
        path: the file of the lock, in a folder that exists.
        message: what is wrong, and what to do, if another process holds it.
        wait: how long to wait for that process, in seconds.
        option: the option that chose the folder, for the error message.
        value: its value.

    Raises:
        UserError: another process holds the lock, or the file cannot be written.
    """
    lock = FileLock(path, timeout=wait)
    try:
        lock.acquire()
    except Timeout:
        raise UserError(message, option=option, value=value) from None
    except OSError as error:
        raise UserError(f"cannot lock {path}: {error.strerror or error}", option=option, value=value) from error
    try:
        yield
    finally:
        lock.release()


def is_held(path: Path) -> bool:
    """Whether a process holds a lock at this moment; not if it was killed.

    Where there is no file, or none that can be written, nothing holds it.
    """
    if not path.is_file():
        return False
    try:
        with FileLock(path, timeout=0):
            return False
    except Timeout:
        return True
    except OSError:
        return False
