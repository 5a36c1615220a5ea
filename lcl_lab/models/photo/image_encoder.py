"""Features of whole photos under the vision tower of the photo models."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL.Image import Image
from torch.nn.functional import normalize

from lcl_lab.models.photo.photo_processor import photo_image_processor
from lcl_lab.models.photo.photo_vision_tower import load_vision_tower

__all__ = ["PhotoImageEncoder"]

_BATCH = 32


class PhotoImageEncoder:
    """Encodes images by the mean feature of all positions, of unit length.

    Args:
        folder: a checkpoint of a `PhotoVisionModel`.

    Raises:
        UserError: the checkpoint cannot be loaded.
    """

    def __init__(self, folder: Path) -> None:
        self._tower = load_vision_tower(folder)
        self._processor = photo_image_processor()

    @torch.inference_mode()
    def encode_images(self, images: Sequence[Image]) -> NDArray[np.float32]:
        """Features (N, D) of N images."""
        rows = []
        for start in range(0, len(images), _BATCH):
            batch = [image.convert("RGB") for image in images[start : start + _BATCH]]
            pixels = self._processor(batch, return_tensors="pt")["pixel_values"]
            rows.append(normalize(self._tower(pixels).pooler_output, dim=-1))
        return torch.cat(rows).numpy()
