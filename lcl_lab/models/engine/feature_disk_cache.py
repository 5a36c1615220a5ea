"""Image features on disk, by the content of the image and the model that saw it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

import torch
from diskcache import Cache
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from lcl_lab.cache_dir import cache_folder

__all__ = ["FeatureDiskCache"]

_BYTES = 8 << 30  # on disk; the least recently used go first


class FeatureDiskCache:
    """What one model saw of images, for any later run. A damaged entry counts as none.

    `model` is the fingerprint of all that features depend on beside the image.
    """

    def __init__(self, model: str, device: str, folder: str | None = None, size: int = _BYTES) -> None:
        self._model, self._device = model, device
        self._cache = Cache(
            folder or str(cache_folder() / "features"),
            size_limit=size,
            eviction_policy="least-recently-used",
        )

    def get(self, digests: Iterable[str]) -> dict[str, dict[str, Any]]:
        """The stored ones, by digest."""
        found = {}
        for digest in digests:
            content = self._cache.get(f"{self._model}:{digest}")
            with suppress(SafetensorError, KeyError, TypeError):  # damaged, or not there
                found[digest] = _unpack(content, self._device)
        return found

    def put(self, seen: Mapping[str, Mapping[str, Any]]) -> None:
        for digest, one in seen.items():
            self._cache.set(f"{self._model}:{digest}", _pack(one))


def _pack(one: Mapping[str, Any]) -> bytes:
    tensors: dict[str, Tensor] = {"ids": torch.tensor(one["ids"]), "features": one["features"].cpu()}
    tensors |= {f"deep.{number:03}": layer.cpu() for number, layer in enumerate(one["deep"])}
    if one["grid"] is not None:
        tensors["grid"] = one["grid"].cpu()
    return save(tensors)


def _unpack(content: bytes, device: str) -> dict[str, Any]:
    tensors = load(content)
    return {
        "ids": tuple(tensors["ids"].tolist()),
        "features": tensors["features"].to(device),
        "deep": tuple(tensors[name].to(device) for name in sorted(tensors) if name.startswith("deep.")),
        "grid": tensors.get("grid"),
    }
