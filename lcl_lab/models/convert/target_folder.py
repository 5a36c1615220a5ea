"""The folder that a conversion writes: complete or absent, and written by one process at a time."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lcl_lab.atomic import reporting_os_errors
from lcl_lab.errors import UserError
from lcl_lab.file_locks import locked

__all__ = ["check_is_new", "target_folder"]


def check_is_new(target: Path) -> None:
    """Raise UserError if the target exists."""
    if target.exists():
        raise UserError("exists; give a new folder", option="target", value=target)


@contextmanager
def target_folder(target: Path) -> Iterator[Path]:
    """An empty folder to write to, which becomes the target when the block ends without an exception.

    Args:
        target: the folder to write.

    Yields:
        A hidden folder next to it. What a killed conversion left there is removed.

    Raises:
        UserError: the target exists, cannot be written, or another process converts into it.
    """
    part, lock = (target.with_name(f".{target.name}.{suffix}") for suffix in ("part", "lock"))
    with reporting_os_errors("create", target.parent):
        target.parent.mkdir(parents=True, exist_ok=True)
    message = "another process converts into this folder; wait for it, stop it, or choose another folder"
    with locked(lock, message, option="target", value=target):
        try:
            check_is_new(target)
            shutil.rmtree(part, ignore_errors=True)
            with reporting_os_errors("create", part):
                part.mkdir()
            yield part
            with reporting_os_errors("write", target):
                part.rename(target)
        finally:
            shutil.rmtree(part, ignore_errors=True)
            lock.unlink(missing_ok=True)
