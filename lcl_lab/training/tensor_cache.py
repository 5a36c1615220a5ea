"""Tensors that are expensive to compute and depend only on their inputs, cached on disk under a hash of the inputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from hashlib import blake2b
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from lcl_lab.atomic import atomic_path
from lcl_lab.cache_dir import cache_folder
from lcl_lab.disk_cache import warn_unusable
from lcl_lab.errors import UserError
from lcl_lab.source_code import version_digest

__all__ = ["cached", "digest"]

_ENCODING = (
    "models/mini/*.py",
    "models/clip_registry.py",
    "models/concept_features.py",
    "training/frozen_vision.py",
)  # the code that computes features
_DIGEST = "digest"  # entry of the metadata of a file


def digest(*parts: object) -> str:
    """16 hex digits over the `repr` of the parts; tensors count by their bytes."""
    hashed = blake2b(digest_size=8)
    for part in parts:
        hashed.update(part.numpy().tobytes() if isinstance(part, Tensor) else repr(part).encode())
        hashed.update(b"\0")
    return hashed.hexdigest()


def cached(kind: str, key: str, compute: Callable[[], dict[str, Tensor]]) -> dict[str, Tensor]:
    """Load the tensors of a key from the cache, or compute and store them.

    A damaged file is computed again. Without a cache that can be written, the tensors are computed every time.

    Args:
        kind: first part of the file name.
        key: digest of everything that the tensors depend on, apart from the code that encodes images and texts.
        compute: called when the cache has no complete file.
    """
    path = cache_folder() / f"{kind}-{key}-{version_digest(*_ENCODING)}.safetensors"
    stored = _load(path)
    if stored is not None:
        return stored
    tensors = {name: tensor.contiguous() for name, tensor in compute().items()}
    try:
        with atomic_path(path) as temporary:
            save_file(tensors, temporary, {_DIGEST: _digest_of(tensors)})
    except (UserError, SafetensorError) as error:
        warn_unusable(path, error)
    return tensors


def _load(path: Path) -> dict[str, Tensor] | None:
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            metadata = file.metadata() or {}
    except (OSError, SafetensorError, ValueError):
        return None
    return tensors if metadata.get(_DIGEST) == _digest_of(tensors) else None


def _digest_of(tensors: Mapping[str, Tensor]) -> str:
    names = sorted(tensors)
    described = [(name, tensors[name].shape, tensors[name].dtype) for name in names]
    return digest(described, *(tensors[name].reshape(-1).view(torch.uint8) for name in names))
