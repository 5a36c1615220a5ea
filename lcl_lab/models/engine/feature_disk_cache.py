"""Image features on disk, keyed by the content of the image and the model that encoded it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from safetensors.torch import load, save
from torch import Tensor

from lcl_lab.disk_cache import DiskCache

__all__ = ["FeatureDiskCache"]

_BYTES = 8 << 30  # maximum size on disk; the least recently used entries are evicted first


class FeatureDiskCache:
    """Features that one model computed for images, for later runs. Damaged entries count as missing.

    Args:
        model: fingerprint of everything but the image that features depend on.
        device: device that loaded features are moved to.
        folder: where to store them; default is a folder in the package's cache.
        size: maximum size on disk, in bytes.
    """

    def __init__(self, model: str, device: str, folder: str | None = None, size: int = _BYTES) -> None:
        self._model, self._device = model, device
        self._cache = DiskCache("features", size, folder)

    def get(self, digests: Iterable[str]) -> dict[str, dict[str, Any]]:
        """The fields of the `EncodedImage` of each digest that is stored."""
        stored = {}
        for digest in digests:
            content = self._cache.get(f"{self._model}:{digest}")
            if content is not None:
                stored[digest] = _unpack(content, self._device)
        return stored

    def put(self, encoded: Mapping[str, Mapping[str, Any]]) -> None:
        """Store the fields of the `EncodedImage` of each digest."""
        for digest, fields in encoded.items():
            self._cache.set(f"{self._model}:{digest}", _pack(fields))


def _pack(fields: Mapping[str, Any]) -> bytes:
    tensors: dict[str, Tensor] = {"ids": torch.tensor(fields["ids"]), "features": fields["features"].cpu()}
    tensors |= {f"deep.{number:03}": layer.cpu() for number, layer in enumerate(fields["deep"])}
    tensors |= {name: torch.tensor(fields[name]) for name in ("types", "tiles")}
    if fields["grid"] is not None:
        tensors["grid"] = fields["grid"].cpu()
    return save(tensors)


def _unpack(content: bytes, device: str) -> dict[str, Any]:
    tensors = load(content)
    return {
        "ids": tuple(tensors["ids"].tolist()),
        "features": tensors["features"].to(device),
        "deep": tuple(tensors[name].to(device) for name in sorted(tensors) if name.startswith("deep.")),
        "grid": tensors.get("grid"),
        "types": tuple(tensors["types"].tolist()),
        "tiles": int(tensors["tiles"]),
    }
