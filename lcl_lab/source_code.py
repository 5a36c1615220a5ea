"""Digests of the package's own source code, to notice results that another version of it computed."""

from __future__ import annotations

from functools import cache
from hashlib import sha256
from pathlib import Path

__all__ = ["source_digest"]

_PACKAGE = Path(__file__).parent


@cache
def source_digest(*patterns: str) -> str:
    """16 hex digits over source files of the package, as they were when this was first called.

    Args:
        patterns: the files, relative to the package, such as ``"models/**/*.py"``.

    Raises:
        ValueError: a pattern matches no file.
    """
    digest = sha256()
    for pattern in patterns:
        files = sorted(path for path in _PACKAGE.glob(pattern) if path.is_file())
        if not files:
            raise ValueError(f"no file of the package matches {pattern}")
        for path in files:
            content = path.read_bytes()
            digest.update(f"{path.relative_to(_PACKAGE).as_posix()}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()[:16]
