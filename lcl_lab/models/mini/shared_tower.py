"""The frozen vision tower of the mini models, whose features all models with the same tower share.

The features of an image are I + 1 rows of width D: the mean patch feature of each quadrant, which the mini models
project, and the mean of the normalised patch features, which the mini CLIP projects. B is the batch size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from hashlib import blake2b

import numpy as np
import torch
from PIL.Image import Image, fromarray
from torch import Tensor, nn
from transformers import CLIPVisionModel, PreTrainedModel

from lcl_lab.concepts import IMAGE_SIZE
from lcl_lab.models.feature_store import Row
from lcl_lab.models.mini.clip_tower import pixels

__all__ = ["QUADRANTS", "SharedTower", "pool_quadrants", "tower_digest"]

_SIDE = 2
QUADRANTS = _SIDE**2
"""I, the number of features of an image that a mini model projects."""
_SIZE = (IMAGE_SIZE, IMAGE_SIZE)


def pool_quadrants(patches: Tensor) -> Tensor:
    """Mean patch feature of each quadrant.

    Args:
        patches: (B, P, D), where P is a square number.

    Returns:
        (B, I, D)
    """
    batch, count, width = patches.shape
    side = int(count**0.5)
    grid = patches.transpose(1, 2).reshape(batch, width, side, side)
    return nn.functional.adaptive_avg_pool2d(grid, _SIDE).flatten(2).transpose(1, 2)


def tower_digest(tower: PreTrainedModel) -> str:
    """32 hex digits over the weights of a vision tower, its precision and the kind of its device."""
    digest = blake2b(f"{tower.dtype}/{tower.device.type}".encode(), digest_size=16)
    for name, weight in sorted(tower.state_dict().items()):
        digest.update(name.encode() + weight.float().cpu().numpy().tobytes())
    return digest.hexdigest()


class SharedTower:
    """A `VisionTower` of the mini models.

    Args:
        tower: the tower; its weights must not change.
        prepare: returns an image in RGB as the tower's input (1, 3, H, W).
        preparation: identifies what `prepare` does to images of other sizes than the tower's.

    Attributes:
        shape: of the features of one image, (I + 1, D).
        keys: the one for images that need no resizing, which does not depend on who prepares them, and the one for all
            other images. Only the latter where `prepare` changes all images.
    """

    def __init__(self, tower: CLIPVisionModel, prepare: Callable[[Image], Tensor], preparation: str) -> None:
        self._tower, self._prepare, self._preparation = tower, prepare, preparation
        self.shape = (QUADRANTS + 1, int(tower.config.hidden_size))

    @cached_property
    def keys(self) -> tuple[str, ...]:
        """See the class."""
        content = tower_digest(self._tower)
        prepared = f"{content}/{self._preparation}"
        return (content, prepared) if self._only_normalises() else (prepared,)

    def encode(self, images: Sequence[Image]) -> Iterator[tuple[str, Row]]:
        """The features (I + 1, D) of images in RGB, and for each the one of `keys` that applies to it."""
        keys = [self.keys[0] if image.size == _SIZE else self.keys[-1] for image in images]
        if len(self.keys) > 1 and set(keys) == {self.keys[0]}:
            inputs = pixels(np.stack([np.asarray(image) for image in images]))
        else:
            inputs = torch.cat([self._prepare(image) for image in images])
        yield from zip(keys, self._encode(inputs), strict=True)

    @torch.inference_mode()
    def _encode(self, inputs: Tensor) -> Row:
        """Inputs (B, 3, H, W) → features (B, I + 1, D)."""
        hidden = self._tower(inputs.to(self._tower.device, self._tower.dtype)).last_hidden_state[:, 1:]
        whole = self._tower.post_layernorm(hidden).mean(1, keepdim=True)
        features: Row = torch.cat([pool_quadrants(hidden), whole], dim=1).float().cpu().numpy()
        return features

    def _only_normalises(self) -> bool:
        """Whether images of the tower's size are prepared as the CLIP was trained on them."""
        noise = np.random.default_rng(0).integers(0, 256, (*_SIZE, 3), np.uint8)
        prepared = self._prepare(fromarray(noise))
        expected = pixels(noise[None])
        return prepared.shape == expected.shape and torch.allclose(prepared.cpu(), expected, atol=1e-5)
