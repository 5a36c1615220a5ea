"""Digests of many files by content, cached on disk so that unchanged files are read only once."""

from __future__ import annotations

import os
from collections.abc import Sequence
from hashlib import blake2b, file_digest
from pathlib import Path

from lcl_lab.errors import UserError
from lcl_lab.per_file_cache import cached_results

__all__ = ["digest_files"]


def digest_files(files: Sequence[Path]) -> list[str]:
    """Digest the content of files, in parallel; see `cached_results` for what is cached.

    Args:
        files: N paths.

    Returns:
        N digests of 16 hex digits, in the order of `files`.

    Raises:
        UserError: a file cannot be read.
    """
    threads = min(32, 4 * (os.cpu_count() or 1))
    return [str(one) for one in cached_results(files, "file_digests", _digest, threads, "Fingerprinting images")]


def _digest(path: str) -> str:
    try:
        with open(path, "rb") as file:
            return file_digest(file, lambda: blake2b(digest_size=8)).hexdigest()
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from error
