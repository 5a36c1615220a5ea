"""Results that depend on the content of one file, cached on disk so that unchanged files are processed only once."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from hashlib import blake2b
from itertools import groupby
from pathlib import Path

from lcl_lab.atomic import read_json, write_text
from lcl_lab.cache_dir import cache_folder
from lcl_lab.errors import UserError
from lcl_lab.progress import track

__all__ = ["cached_results"]

_SETTLED_NS = 2 * 10**9
"""A file modified more recently may change again without a new modification time, so its result is not cached."""
_QUIET_SECONDS = 3.0

State = list[int]


def cached_results(
    files: Sequence[Path], kind: str, compute: Callable[[str], str | None], threads: int, description: str | None = None
) -> list[str | None]:
    """Compute a string for every file, in parallel.

    Results are cached under `cache_folder()` and reused while path, inode, size and times of modification of a file
    stay the same.

    Args:
        files: N paths.
        kind: the name of the cache.
        compute: returns the result for an absolute path, or None for a result that is not to be cached.
        threads: the number of files that are processed at the same time.
        description: the text in front of a progress bar, which appears on standard error if it takes more than three
            seconds; None for no bar.

    Returns:
        N results in the order of `files`.

    Raises:
        UserError: a file cannot be read.
    """
    paths = [os.path.abspath(file) for file in files]
    states = {path: _state(path) for path in paths}
    results = _load(kind, states)
    missing = [path for path in states if path not in results]
    if missing:
        start = time.time_ns()
        with ThreadPoolExecutor(threads) as pool:
            computed: Iterable[str | None] = pool.map(compute, missing)
            if description is not None:
                computed = track(computed, description, len(missing), delay=_QUIET_SECONDS)
            new = dict(zip(missing, computed, strict=True))
        settled = {path: result for path, result in new.items() if states[path][2] < start - _SETTLED_NS}
        _store(kind, states, {path: result for path, result in settled.items() if result is not None})
        return [results[path] if path in results else new[path] for path in paths]
    return [results[path] for path in paths]


def _state(path: str) -> State:
    """Inode, size, and the times at which content and inode changed.

    Two files that swap their names differ in the inode, and content that is replaced without a new modification time
    (`cp -p`, `rsync`) in the time at which the inode changed.
    """
    try:
        status = os.stat(path)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from error
    return [status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns]


def _load(kind: str, states: Mapping[str, State]) -> dict[str, str]:
    """The cached results of files whose state is the cached one."""
    results = {}
    for folder, paths in _by_folder(states):
        known = _read(_cache_file(kind, folder))
        for path in paths:
            match known.get(os.path.basename(path)):
                case [state, str(result)] if state == states[path]:
                    results[path] = result
    return results


def _store(kind: str, states: Mapping[str, State], results: Mapping[str, str]) -> None:
    """Add results to the cache, which has one file per folder so that a new image leaves the others cached."""
    for folder, paths in _by_folder(results):
        file = _cache_file(kind, folder)
        new = {os.path.basename(path): [states[path], results[path]] for path in paths}
        entries = {**_read(file), **new}
        with suppress(UserError):  # without a cache, only the next call is slower
            write_text(file, json.dumps({"digest": _digest(entries), "entries": entries}))


def _read(file: Path) -> dict[str, object]:
    """The entries of a file of the cache; none if it is damaged."""
    content = read_json(file) or {}
    entries = content.get("entries")
    return entries if isinstance(entries, dict) and content.get("digest") == _digest(entries) else {}


def _digest(entries: Mapping[str, object]) -> str:
    return blake2b(json.dumps(entries, sort_keys=True).encode(), digest_size=8).hexdigest()


def _by_folder(paths: Mapping[str, object]) -> Iterator[tuple[str, Iterator[str]]]:
    return groupby(sorted(paths, key=os.path.split), key=os.path.dirname)


def _cache_file(kind: str, folder: str) -> Path:
    # A name that is not valid Unicode has surrogates, which UTF-8 refuses by default.
    name = blake2b(folder.encode(errors="surrogateescape"), digest_size=8).hexdigest()
    return cache_folder() / kind / f"{name}.json"
