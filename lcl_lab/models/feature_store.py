"""Features of the images of one dataset on disk, by reference, so that a later run neither loads nor encodes them.

A store is one file of records of equal size, which only grows. A process that is killed while it writes leaves a part
of a record, which the next writer cuts off. Every record has a checksum; a damaged one counts as missing.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from lcl_lab.cache_dir import cache_folder
from lcl_lab.concepts import ImageRef
from lcl_lab.disk_cache import warn_unusable

__all__ = ["FeatureStore", "Row"]

Row = NDArray[np.float32]
"""The features of one image."""

_DIGEST = 16  # bytes
_FILE_BYTES = 64 << 20  # maximum size of a store; further images are encoded in each run
_FOLDER_BYTES = 1 << 30  # maximum size of all stores; the least recently used ones are deleted
_WAIT = 5.0  # seconds for another process to finish writing


class FeatureStore:
    """Rows of equal shape by image. A store that cannot be read or written counts as empty and never stops a run.

    Args:
        identity: everything that the rows depend on but the image's reference.
        shape: the shape of a row.
        folder: where to store them; default is a folder in the package's cache.
    """

    def __init__(self, identity: str, shape: tuple[int, ...], folder: Path | None = None) -> None:
        name = blake2b(f"{identity}/{shape}".encode(), digest_size=_DIGEST).hexdigest()
        self._path = (folder or cache_folder() / "tower_features") / f"{name}.rows"
        self._record = np.dtype([("ref", f"V{_DIGEST}"), ("row", np.float32, shape), ("sum", f"V{_DIGEST}")])
        self._usable = True

    def get(self, ref: ImageRef) -> Row | None:
        """The row of an image; None if there is none, or it is damaged."""
        record = self._records.get(_digest(str(ref).encode()))
        if record is None or bytes(record["sum"]) != _checksum(bytes(record["ref"]), record["row"]):
            return None
        row: Row = record["row"]
        return row

    def put(self, rows: Mapping[ImageRef, Row]) -> None:
        """Append the rows of images, if the disk allows it and the store is not full."""
        records = np.zeros(len(rows), self._record)
        for record, (ref, row) in zip(records, rows.items(), strict=True):
            key = _digest(str(ref).encode())
            record["ref"], record["row"], record["sum"] = np.void(key), row, np.void(_checksum(key, row))
        try:
            if self._usable:
                self._append(records.tobytes())
        except OSError as error:  # Timeout is one
            self._usable = False
            warn_unusable(self._path, error)
            return
        self._records.update(zip(records["ref"].tolist(), records, strict=True))

    @cached_property
    def _records(self) -> dict[bytes, Any]:
        """The records by digest of the reference. Files are read, not mapped: a mapped one that shrinks is a crash."""
        try:
            content = self._path.read_bytes()
            os.utime(self._path)
        except OSError:
            content = b""
        whole = len(content) // self._record.itemsize * self._record.itemsize
        records = np.frombuffer(content[:whole], self._record)
        return dict(zip(records["ref"].tolist(), records, strict=True))

    def _append(self, content: bytes) -> None:
        if not self._path.exists():
            self._path.parent.mkdir(parents=True, exist_ok=True)
            _make_room(self._path.parent)
        with FileLock(self._path.with_suffix(".lock"), timeout=_WAIT), self._path.open("ab") as file:
            size = file.tell()
            whole = size // self._record.itemsize * self._record.itemsize
            if whole < size:
                file.truncate(whole)
            if whole + len(content) <= _FILE_BYTES:
                file.write(content)


def _make_room(folder: Path) -> None:
    """Delete the least recently used stores of a folder that is full."""
    stores = {path: path.stat() for path in folder.glob("*.rows")}
    total = sum(stat.st_size for stat in stores.values())
    for path, stat in sorted(stores.items(), key=lambda item: item[1].st_mtime):
        if total + _FILE_BYTES <= _FOLDER_BYTES:
            return
        with suppress(OSError):
            path.unlink()
            total -= stat.st_size


def _digest(content: bytes) -> bytes:
    return blake2b(content, digest_size=_DIGEST).digest()


def _checksum(key: bytes, row: Row) -> bytes:
    return _digest(key + row.tobytes())
