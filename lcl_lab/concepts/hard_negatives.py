"""Hard negatives: which concepts look or read like a concept, measured with CLIP (paper section 3.2).

Pure functions of CLIP features. Shapes: C concepts, D width of the features, N neighbours.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["WEIGHTS", "draw_neighbours", "similarity"]

Features = NDArray[np.floating]
WEIGHTS = (0.5, 0.25, 0.25)
"""Weights of image–image, image–text and text–text similarity. The paper does not state which it used."""


def similarity(
    images: Features, texts: Features | None, weights: tuple[float, float, float] = WEIGHTS
) -> NDArray[np.float64]:
    """Similarity of all concepts: a weighted sum of three cosine similarities.

    Args:
        images: (C, D) mean image features of the concepts.
        texts: (C, D) features of their names or descriptions, in the same space; without them, only images count.
        weights: of image–image, image–text (symmetrised) and text–text similarity.

    Returns:
        (C, C) symmetric similarities.
    """
    image = images / np.linalg.norm(images, axis=1, keepdims=True)
    if texts is None:
        return np.asarray(image @ image.T)
    text = texts / np.linalg.norm(texts, axis=1, keepdims=True)
    across = image @ text.T
    return np.asarray(weights[0] * image @ image.T + weights[1] * (across + across.T) / 2 + weights[2] * text @ text.T)


def draw_neighbours(similar: NDArray[np.float64], count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Draw neighbours of every concept, near and far.

    The other concepts are sorted by similarity and split into N equal intervals; one is drawn from each.

    Args:
        similar: (C, C) similarities.
        count: N, the number of neighbours.
        rng: the random generator.

    Returns:
        (C, N) indices of concepts, most similar first.

    Raises:
        ValueError: there are fewer than N other concepts.
    """
    concepts = len(similar)
    if concepts - 1 < count:
        raise ValueError(f"cannot draw {count} neighbours among {concepts} concepts")
    chosen = np.empty((concepts, count), np.int64)
    for c in range(concepts):
        order = np.argsort(-similar[c], kind="stable")
        intervals = np.array_split(order[order != c], count)
        chosen[c] = [rng.choice(interval) for interval in intervals]
    return chosen
