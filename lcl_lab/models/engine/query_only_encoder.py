"""Encodes the last image of a prompt only, for models that do not receive the others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from PIL.Image import Image
from PIL.Image import new as new_image

from lcl_lab.concepts import ImageRef
from lcl_lab.models.engine.feature_disk_cache import FeatureDiskCache
from lcl_lab.models.engine.vision_cache import EncodedImage, ImageKey, PlaceholderEncoder

__all__ = ["QueryOnlyEncoder"]

_SUPPORT: ImageKey = (ImageRef("query-only", "support", 0), False)
"""The key of every image but the last one: the model cannot tell them apart, so prompts share their prefixes."""


class QueryOnlyEncoder(PlaceholderEncoder):
    """Gives all images of a prompt but the last one the embeddings of their placeholder tokens as features.

    The arguments are those of `ImageEncoder`.
    """

    def __init__(
        self, model: Any, processor: Any, placeholder: str, disk_cache: FeatureDiskCache | None = None
    ) -> None:
        super().__init__(model, processor, placeholder, disk_cache)
        inputs = self._process(new_image("RGB", (64, 64)), alone=True)
        ids = inputs["input_ids"][0]
        with torch.inference_mode():
            features = model.get_input_embeddings()(ids[ids == self.token_id].to(model.device))
        self._support = EncodedImage(tuple(ids.tolist()), features, types=self._types(inputs))

    def keys(self, refs: Sequence[ImageRef]) -> list[ImageKey]:
        """The keys of the images of one prompt."""
        keys = super().keys(refs)
        return [_SUPPORT] * (len(keys) - 1) + keys[-1:]

    def encode(self, keys: Sequence[ImageKey], image: Callable[[ImageRef], Image]) -> dict[ImageKey, EncodedImage]:
        """The encoded images; see `ImageEncoder.encode`."""
        encoded = super().encode([key for key in keys if key != _SUPPORT], image)
        return encoded | {_SUPPORT: self._support}
