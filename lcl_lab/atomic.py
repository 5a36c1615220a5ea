"""Files that appear complete or not at all, and JSON that is written the same way everywhere."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lcl_lab.errors import UserError

__all__ = [
    "TEMPORARY",
    "atomic_path",
    "canonical_json",
    "parse_json",
    "parse_strict_json",
    "read_json",
    "remove_temporary",
    "reporting_os_errors",
    "write_atomic",
    "write_json",
    "write_text",
]

TEMPORARY = ".tmp"
"""Suffix of a file that is still being written; readers ignore such files."""
_MOST_LEVELS = 64  # far below what functions that descend into JSON values can take


@contextmanager
def reporting_os_errors(action: str, path: Path) -> Iterator[None]:
    """Turn an `OSError` raised inside the block into a `UserError` such as "cannot write PATH: No space left"."""
    try:
        yield
    except OSError as error:
        raise UserError(f"cannot {action} {path}: {error.strerror or error}") from error


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """A temporary path to write to, which replaces `path` when the block ends without an exception.

    The folder of `path` is created if needed. After a crash at any moment `path` is either complete or as it was
    before; if the block raises, the temporary file is removed.

    Args:
        path: the file to write.

    Yields:
        A path in the same folder that ends with `TEMPORARY`.

    Raises:
        UserError: the file cannot be written (disk full, no permission, …).
    """
    temporary = path.with_name(f"{path.name}.{os.getpid()}{TEMPORARY}")
    with reporting_os_errors("write", path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield temporary
            with temporary.open("rb") as file:
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        _sync_folder(path.parent)


def write_atomic(path: Path, data: bytes) -> None:
    """Write `data` to `path`, durably; see `atomic_path`.

    Raises:
        UserError: the file cannot be written.
    """
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)


def write_text(path: Path, text: str) -> None:
    """Write `text` to `path` in UTF-8, durably; see `atomic_path`.

    Raises:
        UserError: the file cannot be written.
    """
    write_atomic(path, text.encode())


def write_json(path: Path, value: object) -> None:
    """Write `value` as indented JSON, durably. Raises as `canonical_json` and `write_atomic` do."""
    text = json.dumps(json.loads(canonical_json(value)), indent=2, ensure_ascii=False)
    write_text(path, text + "\n")


def canonical_json(value: object) -> str:
    """The unique JSON text of a value: sorted keys, no spaces, paths as strings.

    Raises:
        TypeError: the value has a part that is neither JSON nor a path.
        ValueError: the value has a NaN or an infinity.
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False, default=os.fspath)


def parse_json(text: str | bytes) -> Any:
    """The value of a JSON text.

    Raises:
        ValueError: it is not JSON, or is nested so deeply that Python cannot read it.
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def parse_strict_json(text: str | bytes) -> Any:
    """The value of a JSON text as this package writes it: of finite numbers, and nested at most 64 levels deep.

    Raises:
        ValueError: the text is anything else.
    """
    value = parse_json(text)
    try:
        _check_depth(value, _MOST_LEVELS)
        json.dumps(value, allow_nan=False)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    return value


def read_json(path: Path) -> dict[str, Any] | None:
    """The JSON object in a file; None when it is missing, no regular file, unreadable, or contains anything else."""
    try:
        # Opening a FIFO would wait for a writer.
        value = parse_strict_json(path.read_bytes()) if path.is_file() else None
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None


def remove_temporary(folder: Path) -> None:
    """Remove what killed writers left in a folder. Only for the process that holds the folder's lock.

    Raises:
        UserError: a file cannot be removed.
    """
    with reporting_os_errors("clean", folder):
        for leftover in folder.glob(f"*{TEMPORARY}"):
            leftover.unlink(missing_ok=True)


def _check_depth(value: object, levels: int) -> None:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    if inner and not levels:
        raise ValueError("nested too deeply")
    for one in inner:
        _check_depth(one, levels - 1)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
