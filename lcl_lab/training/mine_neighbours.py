"""Mines the hard negatives of a concept set with a CLIP (paper section 3.2), and keeps them on disk."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from lcl_lab.concepts import Dataset, ImageRef
from lcl_lab.concepts.hard_negatives import WEIGHTS, draw_neighbours, similarity
from lcl_lab.models.clip_registry import Clip
from lcl_lab.progress import track
from lcl_lab.training.tensor_cache import cached, digest

__all__ = ["mine_neighbours"]


def mine_neighbours(
    concepts: Dataset,
    clip: Clip,
    images: int = 100,
    count: int = 100,
    weights: tuple[float, float, float] = WEIGHTS,
    seed: int = 0,
) -> NDArray[np.int64]:
    """`count` neighbours of every class (C, N) as indices in the set's order, most similar first.

    A class is the mean feature of `images` random images of it, or of all where it has fewer, and the
    feature of its text. What CLIP sees is kept on disk by the content of set and CLIP.

    Raises:
        ValueError: fewer than `count` other classes.
    """
    classes = list(concepts.concepts.values())
    key = digest(concepts.fingerprint, clip.fingerprint, images, seed)

    def see() -> dict[str, torch.Tensor]:
        means = []
        for row, concept in enumerate(track(classes, "mining hard negatives")):
            chosen = np.random.default_rng([seed, row, 4]).permutation(concept.images)[:images]
            pictures = [concepts.image(ImageRef(concepts.name, concept.id, int(number))) for number in chosen]
            means.append(clip.see(pictures).mean(0))
        return {"images": torch.from_numpy(np.stack(means)), "texts": torch.from_numpy(clip.read(classes))}

    features = cached("clip", key, see)
    similar = similarity(features["images"].numpy(), features["texts"].numpy(), weights)
    return draw_neighbours(similar, count, np.random.default_rng([seed, 4]))
