"""Files that are there whole or not at all, and JSON that reads the same everywhere."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lcl_lab.errors import UserError

__all__ = ["TEMPORARY", "canonical_json", "explained", "read_json", "remove_temporary", "write_atomic", "write_json"]

TEMPORARY = ".tmp"
"""How the name of a file ends that is still being written; no reader looks at one."""


@contextmanager
def explained(action: str, path: Path) -> Iterator[None]:
    """Turn an OSError inside the block into a UserError: «cannot {action} {path}: {reason}»."""
    try:
        yield
    except OSError as error:
        raise UserError(f"cannot {action} {path}: {error.strerror or error}") from error


def write_atomic(path: Path, data: bytes) -> None:
    """Put data at path, durably: after a crash at any time the file is there whole, or as it was before.

    Raises UserError with the path and the reason (disk full, no permission, …); nothing partial stays.
    """
    temporary = path.with_name(path.name + TEMPORARY)
    with explained("write", path):
        try:
            with temporary.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        _sync_folder(path.parent)


def remove_temporary(folder: Path) -> None:
    """Remove what killed writers left in the folder. Only for who holds the lock. Raises UserError."""
    with explained("clean", folder):
        for leftover in folder.glob(f"*{TEMPORARY}"):
            leftover.unlink()


def canonical_json(value: object) -> str:
    """The one JSON text of a value: sorted keys, no spaces; paths as strings.

    Raises TypeError for what JSON and the file system do not know, ValueError for NaN and infinities.
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False, default=os.fspath)


def write_json(path: Path, value: object) -> None:
    """Write a value as indented JSON, atomically. Raises as canonical_json and write_atomic do."""
    text = json.dumps(json.loads(canonical_json(value)), indent=2, ensure_ascii=False)
    write_atomic(path, (text + "\n").encode())


def read_json(path: Path) -> dict[str, Any] | None:
    """The JSON object in a file; None when the file is missing, unreadable, or holds anything else."""
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
