"""Features of the images of training, by reference: looked at when first asked for, or given before.

N images, I features of an image, D_vision their width.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import numpy as np
import torch
from PIL.Image import Image
from torch import Tensor

from lcl_lab.concepts import ImageRef
from lcl_lab.training.frozen_vision import FrozenVision

__all__ = ["Bank", "FeatureBank"]

_BYTES = 8 << 30  # of features kept in memory


class Bank(Protocol):
    """The features (N, I, D_vision) of the images of one prompt; what is random about them is drawn from `rng`."""

    def __call__(self, refs: Sequence[ImageRef], rng: np.random.Generator) -> Tensor: ...


class FeatureBank:
    """A `Bank` of one frozen tower; `image` opens an image that it has not seen yet."""

    def __init__(self, tower: FrozenVision, image: Callable[[ImageRef], Image]) -> None:
        self._tower, self._image = tower, image
        self._kept: OrderedDict[ImageRef, Tensor] = OrderedDict()
        self._bytes = 0

    def __call__(self, refs: Sequence[ImageRef], rng: np.random.Generator) -> Tensor:
        new = [ref for ref in dict.fromkeys(refs) if ref not in self._kept]
        found = {ref: self._kept[ref] for ref in refs if ref in self._kept}
        if new:
            found |= dict(zip(new, self._tower.look([self._image(ref) for ref in new]).cpu(), strict=True))
            self.keep({ref: found[ref] for ref in new})
        return torch.stack([found[ref] for ref in refs])

    def keep(self, features: Mapping[ImageRef, Tensor]) -> None:
        """Remember features (I, D_vision) by image; the first to come go when there are too many."""
        self._kept |= features
        self._bytes += sum(tensor.nbytes for tensor in features.values())
        while self._bytes > _BYTES:
            _, oldest = self._kept.popitem(last=False)
            self._bytes -= oldest.nbytes
