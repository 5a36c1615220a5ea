"""What the concepts of a dataset look like to a CLIP."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lcl_lab.concepts import ImageRef
from lcl_lab.progress import track

if TYPE_CHECKING:
    from lcl_lab.concepts import Dataset
    from lcl_lab.models.clip_registry import Clip

__all__ = ["mean_image_features"]

_STREAM = 4  # of the random generator
_QUIET_SECONDS = 3.0


def mean_image_features(dataset: Dataset, clip: Clip, images: int, seed: int, description: str) -> NDArray[np.float32]:
    """The mean feature of some images of every concept. Shows a progress bar if it takes more than three seconds.

    Args:
        dataset: C concepts.
        clip: encodes the images into a space of width D.
        images: random images per concept to encode; all where a concept has fewer.
        seed: random seed.
        description: the text in front of the progress bar.

    Returns:
        (C, D), in the order of `dataset.concepts`.
    """
    means = []
    concepts = list(dataset.concepts.values())
    for row, concept in enumerate(track(concepts, description, delay=_QUIET_SECONDS)):
        numbers = np.random.default_rng([seed, row, _STREAM]).permutation(concept.images)[:images]
        subset = [dataset.image(ImageRef(dataset.name, concept.id, int(number))) for number in numbers]
        means.append(clip.encode_images(subset).mean(0))
    return np.stack(means)
