"""Digests of source code and of library versions, to notice results that other versions computed."""

from __future__ import annotations

from functools import cache
from hashlib import sha256
from importlib import metadata
from pathlib import Path

__all__ = ["source_digest", "version_digest"]

_LIBRARIES = ("numpy", "open_clip_torch", "pillow", "tokenizers", "torch", "torchvision", "transformers")
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


@cache
def version_digest(*patterns: str) -> str:
    """16 hex digits over source files of the package, and the versions of the libraries that models run on.

    Args:
        patterns: the files, as in `source_digest`.
    """
    versions = [f"{library} {metadata.version(library)}" for library in _LIBRARIES]
    return sha256("\n".join([source_digest(*patterns), *versions]).encode()).hexdigest()[:16]
