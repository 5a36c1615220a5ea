"""Bytes that are cached on disk between runs. A cache that is damaged, full or not writable never stops a run."""

from __future__ import annotations

import logging
import shutil
import sqlite3
from functools import cache
from hashlib import blake2b
from pathlib import Path

from diskcache import Cache

from lcl_lab.cache_dir import cache_folder
from lcl_lab.control_characters import escape_controls

__all__ = ["DiskCache", "warn_unusable"]

_log = logging.getLogger(__name__)
_DIGEST = 16  # bytes


class DiskCache:
    """A mapping from text to bytes on disk, which evicts the least recently used entries.

    Every entry carries a digest of its content, so that damaged ones count as missing. A damaged database is replaced.

    Args:
        name: the name of its folder in the package's cache.
        size: maximum size on disk, in bytes.
        folder: where to store it instead.
    """

    def __init__(self, name: str, size: int, folder: str | None = None) -> None:
        self._folder = Path(folder) if folder else cache_folder() / name
        self._size = size
        self._cache = self._open()

    def get(self, key: str) -> bytes | None:
        """The bytes of a key; None if there are none, or they are damaged."""
        try:
            content = self._cache.get(key) if self._cache is not None else None
        except Exception as error:  # pickle raises anything on damaged entries
            self._disable(error)
            return None
        if not isinstance(content, bytes) or content[:_DIGEST] != _digest(content[_DIGEST:]):
            return None
        return content[_DIGEST:]

    def set(self, key: str, content: bytes) -> None:
        """Store the bytes of a key, if the disk allows it."""
        try:
            if self._cache is not None:
                self._cache.set(key, _digest(content) + content)
        except Exception as error:  # of the disk or of the database
            self._disable(error)

    def _open(self) -> Cache | None:
        try:
            try:
                return self._create()
            except sqlite3.OperationalError:  # such as one that is not writable
                raise
            except sqlite3.DatabaseError:
                shutil.rmtree(self._folder)
                return self._create()
        except Exception as error:  # of the disk or of the database
            self._disable(error)
            return None

    def _create(self) -> Cache:
        # Without memory mapping, a database that shrinks under the process is an error and not a crash.
        options = {"eviction_policy": "least-recently-used", "sqlite_mmap_size": 0}
        return Cache(str(self._folder), size_limit=self._size, **options)

    def _disable(self, error: Exception) -> None:
        self._cache = None
        warn_unusable(self._folder, error)


@cache
def _warn(line: str) -> None:
    _log.warning("%s", line)


def warn_unusable(path: Path, error: Exception) -> None:
    """Log once that a file or folder of the cache cannot be used, so that runs are slower.

    Args:
        path: the file or folder.
        error: why.
    """
    reason = " ".join(str(getattr(error, "strerror", None) or error).split())
    _warn(escape_controls(f"results are not cached in {path}: {reason}")[:500])


def _digest(content: bytes) -> bytes:
    return blake2b(content, digest_size=_DIGEST).digest()
