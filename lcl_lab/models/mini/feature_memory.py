"""Features of images under the mini CLIP, each computed once per process."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import ImageOps
from PIL.Image import Image

from lcl_lab.concepts import IMAGE_SIZE, ImageRef
from lcl_lab.models.mini.clip import image_features, load_clip

__all__ = ["FeatureMemory"]


class FeatureMemory:
    """Encodes images and remembers their features.

    Args:
        folder: a folder with a mini CLIP.
    """

    def __init__(self, folder: Path) -> None:
        self._clip = load_clip(folder)
        self._features: dict[ImageRef, NDArray[np.float32]] = {}

    def encode(self, refs: Iterable[ImageRef], image: Callable[[ImageRef], Image]) -> None:
        """Compute the features of images that are new."""
        new = [ref for ref in dict.fromkeys(refs) if ref not in self._features]
        if new:
            fitted = [ImageOps.fit(image(ref).convert("RGB"), (IMAGE_SIZE, IMAGE_SIZE)) for ref in new]
            arrays = np.stack([np.asarray(one) for one in fitted])
            self._features |= dict(zip(new, image_features(self._clip, arrays), strict=True))

    def __getitem__(self, ref: ImageRef) -> NDArray[np.float32]:
        """The feature (D,) of an encoded image, of unit length."""
        return self._features[ref]
