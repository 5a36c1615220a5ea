"""The frozen vision tower of the photo models, whose features all models with the same tower share.

The features of an image are I + 1 rows of width D: the mean feature of each quadrant, which the models project, and the
mean of all positions, by which the prototype classifier compares images. B is the batch size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property

import torch
from PIL.Image import Image
from torch import Tensor

from lcl_lab.models.feature_store import Row
from lcl_lab.models.mini.shared_tower import QUADRANTS, pool_quadrants, tower_digest
from lcl_lab.models.photo.photo_vision_tower import PhotoVisionModel

__all__ = ["SharedPhotoTower"]


class SharedPhotoTower:
    """A `VisionTower` of the photo models.

    Args:
        tower: the tower; its weights must not change.
        prepare: returns an image in RGB as the tower's input (1, 3, H, W).
        preparation: identifies what `prepare` does.

    Attributes:
        shape: of the features of one image, (I + 1, D).
    """

    def __init__(self, tower: PhotoVisionModel, prepare: Callable[[Image], Tensor], preparation: str) -> None:
        self._tower, self._prepare, self._preparation = tower, prepare, preparation
        self.shape = (QUADRANTS + 1, int(tower.config.hidden_size))

    @cached_property
    def keys(self) -> tuple[str, ...]:
        """The one key under which its features are known."""
        return (f"{tower_digest(self._tower)}/{self._preparation}",)

    @torch.inference_mode()
    def encode(self, images: Sequence[Image]) -> Iterator[tuple[str, Row]]:
        """The features (I + 1, D) of images in RGB, each with the key."""
        inputs = torch.cat([self._prepare(image) for image in images])
        states = self._tower(inputs.to(self._tower.device, self._tower.dtype)).last_hidden_state
        features: Row = torch.cat([pool_quadrants(states), states.mean(1, keepdim=True)], 1).float().cpu().numpy()
        return iter([(self.keys[0], row) for row in features])
