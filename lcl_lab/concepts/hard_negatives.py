"""Hard negatives: which classes look or read like a class, by CLIP (paper section 3.2).

Pure functions of features; whoever has a CLIP computes these. C classes, D width, N neighbours.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["WEIGHTS", "draw_neighbours", "similarity"]

Features = NDArray[np.floating]
WEIGHTS = (0.5, 0.25, 0.25)  # image–image, image–text, text–text; the paper does not give its own


def similarity(images: Features, texts: Features, weights: tuple[float, float, float] = WEIGHTS) -> NDArray[np.float64]:
    """Class-to-class similarity (C, C): a weighted sum of three cosines, the middle one symmetric.

    `images` are mean image features (C, D), `texts` the features of names or descriptions (C, D), both
    in the space that CLIP shares.
    """
    image, text = (f / np.linalg.norm(f, axis=1, keepdims=True) for f in (images, texts))
    across = image @ text.T
    return np.asarray(weights[0] * image @ image.T + weights[1] * (across + across.T) / 2 + weights[2] * text @ text.T)


def draw_neighbours(similar: NDArray[np.float64], count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """`count` neighbours of every class, most similar first: (C, N).

    All other classes are sorted by similarity and cut into N equal intervals; one is drawn in each.

    Raises:
        ValueError: fewer than `count` other classes.
    """
    classes = len(similar)
    if classes - 1 < count:
        raise ValueError(f"{count} neighbours of {classes} classes")
    chosen = np.empty((classes, count), np.int64)
    for c in range(classes):
        order = np.argsort(-similar[c], kind="stable")
        intervals = np.array_split(order[order != c], count)
        chosen[c] = [rng.choice(interval) for interval in intervals]
    return chosen
