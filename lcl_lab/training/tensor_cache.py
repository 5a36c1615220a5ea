"""Tensors that are expensive to compute and depend only on their inputs, cached on disk under a hash of the inputs."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from lcl_lab.atomic import atomic_path
from lcl_lab.cache_dir import cache_folder
from lcl_lab.source_code import version_digest

__all__ = ["cached", "digest"]

_ENCODING = (
    "models/mini/*.py",
    "models/clip_registry.py",
    "models/concept_features.py",
    "training/frozen_vision.py",
)  # the code that computes features


def digest(*parts: object) -> str:
    """16 hex digits over the `repr` of the parts; tensors count by their bytes."""
    hashed = blake2b(digest_size=8)
    for part in parts:
        hashed.update(part.numpy().tobytes() if isinstance(part, Tensor) else repr(part).encode())
        hashed.update(b"\0")
    return hashed.hexdigest()


def cached(kind: str, key: str, compute: Callable[[], dict[str, Tensor]]) -> dict[str, Tensor]:
    """Load the tensors of a key from the cache, or compute and store them.

    A damaged file is computed again.

    Args:
        kind: first part of the file name.
        key: digest of everything that the tensors depend on, apart from the code that encodes images and texts.
        compute: called when the cache has no complete file.
    """
    path = cache_folder() / f"{kind}-{key}-{version_digest(*_ENCODING)}.safetensors"
    try:
        return load_file(path)
    except (OSError, SafetensorError):
        tensors = {name: tensor.contiguous() for name, tensor in compute().items()}
    with atomic_path(path) as temporary:
        save_file(tensors, temporary)
    return tensors
