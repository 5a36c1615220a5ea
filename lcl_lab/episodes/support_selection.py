"""Supports that are chosen from a larger one by the similarity of images, with the labels where they were.

Letters: P images of a concept to choose from, D width of features.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from lcl_lab.concepts import ImageRef
from lcl_lab.episodes.arguments import check_integer
from lcl_lab.episodes.episode import Episode
from lcl_lab.errors import UserError, nearest
from lcl_lab.type_checks import check_type

__all__ = ["SELECTIONS", "Selection", "select_support"]

Selection = Literal["random", "nearest", "farthest", "diverse"]
SELECTIONS: tuple[Selection, ...] = get_args(Selection)
Features = Callable[[ImageRef], NDArray[np.float32]]


def select_support(episode: Episode, how: Selection, shots: int, features: Features) -> Episode:
    """Choose a support among the shots of an episode, as many of each concept.

    The sequence of concepts is that of the first `shots` shots, whatever is chosen, so that only the images differ.

    Args:
        episode: an episode whose support is what to choose from, with true labels.
        how: ``"random"``, the first shots, which are those of the same episode drawn with fewer; ``"nearest"``, the
            images of each concept that are most similar to the query, the most similar one last (RICES, Yang et al.
            2022); ``"farthest"``, the least similar ones, the least similar one last; ``"diverse"``, the greedy
            k-centre choice: first the image nearest to the mean of its concept, then always the image that is farthest
            from those chosen (Gonzalez 1985).
        shots: number of shots to choose.
        features: the feature (D,) of an image, of unit length.

    Raises:
        UserError: there is no such way, or the support has too few shots.
    """
    check_type(episode, Episode, "episode")
    check_integer("shots", shots)
    if how not in SELECTIONS:
        raise UserError(f"unknown; {nearest(how, SELECTIONS)}", option="selection", value=how)
    if shots > len(episode.support):
        reason = f"cannot be chosen from the {len(episode.support)} shots of the episode"
        raise UserError(reason, option="shots", value=shots)
    first = episode.support[:shots]
    if how == "random":
        return replace(episode, support=first)
    chosen = {}
    for label in dict.fromkeys(example.true_label for example in first):
        pool = [example for example in episode.support if example.true_label == label]
        count = sum(example.true_label == label for example in first)
        images = np.stack([features(example.image) for example in pool]).astype(np.float64)
        order = _CHOICES[how](images, features(episode.query).astype(np.float64), count)
        chosen[label] = iter([pool[place] for place in order])
    return replace(episode, support=tuple(next(chosen[example.true_label]) for example in first))


def _nearest(images: NDArray[np.float64], query: NDArray[np.float64], count: int) -> Sequence[int]:
    """The `count` most similar of (P, D) images, the most similar one last; of equal ones, the first are preferred."""
    return np.argsort(-(images @ query), kind="stable")[:count][::-1].tolist()


def _farthest(images: NDArray[np.float64], query: NDArray[np.float64], count: int) -> Sequence[int]:
    return _nearest(images, -query, count)


def _diverse(images: NDArray[np.float64], query: NDArray[np.float64], count: int) -> Sequence[int]:
    """Farthest-first traversal by Euclidean distance."""
    chosen = [int(np.argmax(images @ images.mean(axis=0)))]
    while len(chosen) < count:
        gaps = np.linalg.norm(images[:, None] - images[chosen], axis=2).min(axis=1)
        gaps[chosen] = -1.0
        chosen.append(int(np.argmax(gaps)))
    return chosen[:count]


_CHOICES: Mapping[str, Callable[[NDArray[np.float64], NDArray[np.float64], int], Sequence[int]]] = {
    "nearest": _nearest,
    "farthest": _farthest,
    "diverse": _diverse,
}
