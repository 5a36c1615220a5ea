"""Features of training images by reference, encoded when first needed or in advance.

N images, I features per image, D_vision their width.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Protocol

import numpy as np
import torch
from PIL.Image import Image
from PIL.Image import new as new_image
from torch import Tensor

from lcl_lab.concepts import ImageRef
from lcl_lab.training.frozen_vision import FrozenVision

__all__ = ["FeatureBank", "ImageFeatures"]

_BLANK = 64  # pixels a side of the image that shows what shape features have
_CAPACITY = 8 << 30  # bytes of features in memory


class ImageFeatures(Protocol):
    """Returns the features of the images of one prompt."""

    def __call__(self, refs: Sequence[ImageRef], rng: np.random.Generator) -> Tensor:
        """Features (N, I, D_vision) of N images; randomness, if any, comes from `rng`."""


class FeatureBank:
    """`ImageFeatures` of one frozen vision encoder, kept in memory.

    Args:
        vision: the encoder.
        image: opens an image that has not been encoded yet.

    Attributes:
        vision: the encoder.
    """

    def __init__(self, vision: FrozenVision, image: Callable[[ImageRef], Image]) -> None:
        self.vision, self._image = vision, image
        self._features: OrderedDict[ImageRef, Tensor] = OrderedDict()
        self._bytes = 0

    def __call__(self, refs: Sequence[ImageRef], rng: np.random.Generator) -> Tensor:
        """Features (N, I, D_vision) of N images."""
        new = [ref for ref in dict.fromkeys(refs) if ref not in self._features]
        features = {ref: self._features[ref] for ref in refs if ref in self._features}
        if new:
            encoded = self.vision.encode([self._image(ref) for ref in new]).cpu()
            features |= dict(zip(new, encoded, strict=True))
            self.add({ref: features[ref] for ref in new})
        return torch.stack([features[ref] for ref in refs]) if refs else self._none

    @cached_property
    def _none(self) -> Tensor:
        """The features (0, I, D_vision) of a prompt without images."""
        return self.vision.encode([new_image("RGB", (_BLANK, _BLANK))]).cpu()[:0]

    def add(self, features: Mapping[ImageRef, Tensor]) -> None:
        """Add features (I, D_vision) by image; the oldest are dropped when memory is full."""
        self._features |= features
        self._bytes += sum(tensor.nbytes for tensor in features.values())
        while self._bytes > _CAPACITY:
            _, oldest = self._features.popitem(last=False)
            self._bytes -= oldest.nbytes
