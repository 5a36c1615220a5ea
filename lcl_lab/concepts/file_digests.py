"""Digests of many files by content, cached on disk so that unchanged files are read only once."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from hashlib import blake2b, file_digest
from pathlib import Path

from lcl_lab.atomic import read_json, write_text
from lcl_lab.cache_dir import cache_folder
from lcl_lab.errors import UserError
from lcl_lab.progress import track

__all__ = ["digest_files"]

_SETTLED_NS = 2 * 10**9
"""A file modified more recently may change again without a new modification time, so its digest is not cached."""
_QUIET_SECONDS = 3.0


def digest_files(files: Sequence[Path]) -> list[str]:
    """Digest the content of files, in parallel.

    Digests are cached under `cache_folder()` and reused while path, size and modification time of a file stay the
    same. A progress bar appears on standard error if it takes more than three seconds.

    Args:
        files: N paths.

    Returns:
        N digests of 16 hex digits, in the order of `files`.

    Raises:
        UserError: a file cannot be read.
    """
    paths = [os.path.abspath(file) for file in files]
    states = [_state(path) for path in paths]
    cache = cache_folder() / "file_digests" / f"{blake2b(repr(sorted(paths)).encode(), digest_size=8).hexdigest()}.json"
    known = read_json(cache) or {}
    digests = {
        path: known[path][1]
        for path, state in zip(paths, states, strict=True)
        if path in known and known[path][0] == state
    }
    missing = [path for path in dict.fromkeys(paths) if path not in digests]
    if missing:
        start = time.time_ns()
        with ThreadPoolExecutor(min(32, 4 * (os.cpu_count() or 1))) as pool:
            computed = track(pool.map(_digest, missing), "Fingerprinting images", len(missing), delay=_QUIET_SECONDS)
            digests |= dict(zip(missing, computed, strict=True))
        settled = {
            path: (state, digests[path])
            for path, state in zip(paths, states, strict=True)
            if state[1] < start - _SETTLED_NS
        }
        with suppress(UserError):  # without a cache, only the next call is slower
            write_text(cache, json.dumps(settled))
    return [digests[path] for path in paths]


def _state(path: str) -> list[int]:
    """Size in bytes and modification time in nanoseconds."""
    try:
        status = os.stat(path)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from error
    return [status.st_size, status.st_mtime_ns]


def _digest(path: str) -> str:
    try:
        with open(path, "rb") as file:
            return file_digest(file, lambda: blake2b(digest_size=8)).hexdigest()
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from error
