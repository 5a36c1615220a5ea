"""Disguises: in every episode classes look a little different, so that there is nothing to learn by heart.

900 classes are few enough for a decoder to learn by heart; a class that is partly another one is met only
once, so what is learned is to compare. I features of an image, D_vision their width.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from lcl_lab.concepts import ImageRef
from lcl_lab.training.feature_bank import Bank

__all__ = ["FeatureAugmentation"]

_BLEND = 0.6  # at most, of another class in a class
_MUTED = 0.2  # of the channels, in a setting


class FeatureAugmentation:
    """A `Bank` that disguises the images of an embedded world.

    `means` are the mean features (I, D_vision) of its classes, by their image 0. In every episode each class is
    blended with another class. With `noise`, in standard deviations of a channel over the classes, the whole episode
    is also moved to another place of the feature space, a fifth of the channels is muted, and each image gets noise
    of its own. (Unseen classes, 16 shots: 0.87 as they are, 0.92 blended; see `strategies.stages` for the noise.)
    """

    def __init__(self, bank: Bank, means: Mapping[ImageRef, Tensor], noise: float) -> None:
        self._bank, self._noise = bank, noise
        self._rows = {ref: row for row, ref in enumerate(means)}
        self._means = torch.stack(list(means.values()))
        self._middle, self._spread = self._means.mean(0), self._means.std(0)

    def __call__(self, refs: Sequence[ImageRef], rng: np.random.Generator) -> Tensor:
        features = self._bank(refs, rng)
        classes = [ref._replace(number=0) for ref in refs]
        if not all(concept in self._rows for concept in classes):
            return features
        blends = {concept: self._blend(rng) for concept in dict.fromkeys(classes)}
        shares = torch.tensor([blends[concept][0] for concept in classes])[:, None, None]
        others = self._means[[blends[concept][1] for concept in classes]]
        blended = (1 - shares) * features + shares * others
        return self._set(blended, rng) if self._noise else blended

    def _blend(self, rng: np.random.Generator) -> tuple[float, int]:
        return float(rng.uniform(0, _BLEND)), int(rng.integers(len(self._means)))

    def _set(self, features: Tensor, rng: np.random.Generator) -> Tensor:
        """Move all, mute some channels, and add noise."""
        here, there = rng.integers(len(self._means), size=2)
        moved = features + float(rng.random()) * (self._means[there] - self._means[here]) - self._middle
        kept = torch.from_numpy(rng.random(features.shape[-1]) >= _MUTED)
        noise = torch.from_numpy(rng.standard_normal(features.shape, dtype=np.float32))
        return moved * kept + self._middle + self._noise * self._spread * noise
