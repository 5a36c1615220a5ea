"""Frozen vision features, computed once before training: nine tenths of a naive step is the vision tower.

C classes, N images, I image tokens, D width of the vision tower.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import track
from torch import Tensor

from lcl_lab.concepts import ImageRef
from lcl_lab.models.clip import pixels
from lcl_lab.models.mini import MiniForConditionalGeneration

__all__ = ["Bank", "BlendedBank", "look_at"]

Bank = Callable[[Sequence[ImageRef], np.random.Generator], Tensor]
"""The features (N, I, D) of the images of one prompt."""

_BATCH = 256


def look_at(model: MiniForConditionalGeneration, images: NDArray[np.uint8]) -> Tensor:
    """Frozen features (N, I, D) of images uint8 (N, H, W, 3)."""
    with torch.inference_mode():
        starts = track(range(0, len(images), _BATCH), "looking")
        rows = [model.frozen_features(pixels(images[start : start + _BATCH])) for start in starts]
    return torch.cat(rows).clone()


class BlendedBank:
    """A `Bank` in which every class of an episode is blended with another class's mean.

    900 classes are few enough for a decoder to learn by heart. A class that is up to `most` somebody
    else is met only once, so what is learned is to compare (on unseen classes, 16 shots, after 550
    steps: 0.94 with blending, 0.87 without).
    """

    def __init__(self, features: Tensor, classes: Sequence[str], most: float = 0.6) -> None:
        self._features, self._means, self._most = features, features.mean(1), most
        self._rows = {concept: row for row, concept in enumerate(classes)}

    def __call__(self, images: Sequence[ImageRef], rng: np.random.Generator) -> Tensor:
        blends = {
            concept: (float(rng.uniform(0, self._most)), int(rng.integers(len(self._rows))))
            for concept in dict.fromkeys(ref.concept for ref in images)
        }
        seen = []
        for ref in images:
            share, other = blends[ref.concept]
            own = self._features[self._rows[ref.concept], ref.number]
            seen.append((1 - share) * own + share * self._means[other])
        return torch.stack(seen)
