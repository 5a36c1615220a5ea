"""What is costly to compute and depends only on its inputs is kept on disk, under a hash of them."""

from __future__ import annotations

import os
from collections.abc import Callable
from hashlib import blake2b

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from lcl_lab.cache_dir import cache_folder

__all__ = ["cached", "digest"]


def digest(*parts: object) -> str:
    """16 hex digits over the representation of the parts; tensors and arrays count by their bytes."""
    hashed = blake2b(digest_size=8)
    for part in parts:
        hashed.update(part.numpy().tobytes() if isinstance(part, Tensor) else repr(part).encode())
        hashed.update(b"\0")
    return hashed.hexdigest()


def cached(kind: str, key: str, make: Callable[[], dict[str, Tensor]]) -> dict[str, Tensor]:
    """What `make` gave for this key before, or what it gives now. A damaged file is made anew."""
    root = cache_folder()
    path = root / f"{kind}-{key}.safetensors"
    try:
        return load_file(path)
    except (OSError, SafetensorError):
        made = make()
    root.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}")
    save_file({name: tensor.contiguous() for name, tensor in made.items()}, part)
    os.replace(part, path)
    return made
