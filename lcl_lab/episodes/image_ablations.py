"""Perturbations of an episode's images: none, blank ones, or the same ones next to other labels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from lcl_lab.episodes.episode import Episode
from lcl_lab.episodes.replaced_images import blank
from lcl_lab.type_checks import check_type

__all__ = ["blank_query", "blank_support", "permute_images", "remove_support"]

_STREAM = 7  # of the random generator


def remove_support(episode: Episode) -> Episode:
    """Leave only the query, so that nothing but prior knowledge can name it."""
    check_type(episode, Episode, "episode")
    return replace(episode, support=())


def blank_support(episode: Episode) -> Episode:
    """Replace the images of the support by grey ones of the same size; the labels stay."""
    check_type(episode, Episode, "episode")
    support = tuple(replace(example, image=blank(example.image)) for example in episode.support)
    return replace(episode, support=support)


def blank_query(episode: Episode) -> Episode:
    """Replace the query's image by a grey one of the same size."""
    check_type(episode, Episode, "episode")
    return replace(episode, query=blank(episode.query))


def permute_images(episode: Episode) -> Episode:
    """Show the images of the support in a random order while the labels stay at their positions.

    An image then has a label that is true or false by chance. The permutation depends on (study seed, support id).
    """
    check_type(episode, Episode, "episode")
    rng = np.random.default_rng([episode.seed, episode.support_id, _STREAM])
    images = [(example.image, example.true_label) for example in episode.support]
    support = tuple(
        replace(example, image=images[k][0], true_label=images[k][1])
        for example, k in zip(episode.support, rng.permutation(len(images)), strict=True)
    )
    return replace(episode, support=support)
