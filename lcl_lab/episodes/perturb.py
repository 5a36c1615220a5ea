"""Perturbations: each changes one aspect of an episode, such as false labels, order or names.

Random choices depend on (study seed, support id) or (study seed, query id) only. False labels are nested: a label that
is false at ratio 0.25 is also false at 0.5.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

import numpy as np

from lcl_lab.episodes.arguments import check_fraction, check_integer
from lcl_lab.episodes.episode import Episode
from lcl_lab.errors import UserError
from lcl_lab.type_checks import check_type

__all__ = ["falsify", "falsify_at", "falsify_independently", "rename", "reorder"]

_FALSE, _INDEPENDENT, _ORDER = 1, 2, 3  # random streams; 0 belongs to the support


def falsify(episode: Episode, ratio: float) -> Episode:
    """Make a share of the labels false: replace them by the other concept's name (paper Figure 7).

    Args:
        episode: the episode, with K shots.
        ratio: the share of false labels, from 0 to 1; exactly round(ratio · K) become false.

    Raises:
        UserError: the ratio is out of range.
    """
    check_type(episode, Episode, "episode")
    check_fraction("ratio", ratio)
    rng = np.random.default_rng([episode.seed, episode.support_id, _FALSE])
    ranks = rng.permutation(len(episode.support))
    count = round(ratio * len(episode.support))
    return _swap_labels(episode, {int(position) for position in ranks[:count]})


def falsify_at(episode: Episode, position: int) -> Episode:
    """Make the label at one position false: replace it by the other concept's name (paper Figure 8).

    Args:
        episode: the episode, with K shots.
        position: the position in the support, from 1 to K.

    Raises:
        UserError: there is no such position.
    """
    check_type(episode, Episode, "episode")
    if not episode.support:
        raise UserError("the support has no labels", option="position", value=position)
    check_integer("position", position, least=1, most=len(episode.support))
    return _swap_labels(episode, {position - 1})


def falsify_independently(episode: Episode, probability: float) -> Episode:
    """Make each label false with some probability, independently for every label and every query.

    Args:
        episode: the episode.
        probability: from 0 to 1.

    Raises:
        UserError: the probability is out of range.
    """
    check_type(episode, Episode, "episode")
    check_fraction("probability", probability)
    rng = np.random.default_rng([episode.seed, episode.query_id, _INDEPENDENT])
    flips = rng.random(len(episode.support)) < probability
    return _swap_labels(episode, {int(position) for position in np.flatnonzero(flips)})


def reorder(episode: Episode, order: int, balanced: bool = True) -> Episode:
    """Show the same examples in another random order.

    Args:
        episode: the episode.
        order: the number of the order; 0 keeps the order.
        balanced: only use orders that `draw_episode` could draw, where every two consecutive shots show one image
            of each concept.

    Raises:
        UserError: the number is negative.
    """
    check_type(episode, Episode, "episode")
    check_integer("order", order)
    if order == 0:
        return episode
    rng = np.random.default_rng([episode.seed, episode.support_id, _ORDER, order, int(balanced)])
    shuffled = [episode.support[k] for k in rng.permutation(len(episode.support))]
    if balanced:
        ids = sorted({example.image.concept for example in shuffled})
        by_concept = ([example for example in shuffled if example.image.concept == id] for id in ids)
        twos = [two if rng.random() < 0.5 else two[::-1] for two in zip(*by_concept, strict=True)]
        shuffled = [example for two in twos for example in two]
    return replace(episode, support=tuple(shuffled))


def rename(episode: Episode, names: Mapping[str, str]) -> Episode:
    """Give the concepts other names. True labels stay true and false labels stay false.

    Args:
        episode: the episode.
        names: the new name for each of the two old ones.

    Raises:
        UserError: an old name is missing, or both new names are the same.
    """
    check_type(episode, Episode, "episode")
    old = (episode.true_name, episode.other_name)
    _check_names(old, names)
    support = tuple(
        replace(example, label=names[example.label], true_label=names[example.true_label])
        for example in episode.support
    )
    return replace(episode, support=support, true_name=names[old[0]], other_name=names[old[1]])


def _check_names(old: Collection[str], names: Mapping[str, str]) -> None:
    for name in old:
        if name not in names:
            raise UserError(f"no new name for {name!r}; the episode's names are {', '.join(old)}", option="names")
    if len({names[name] for name in old}) < len(old):
        raise UserError("the two concepts need different names", option="names")


def _swap_labels(episode: Episode, positions: Collection[int]) -> Episode:
    """Replace the labels at the given positions, from 0, by the other name."""
    other = {episode.true_name: episode.other_name, episode.other_name: episode.true_name}
    support = tuple(
        replace(example, label=other[example.label]) if k in positions else example
        for k, example in enumerate(episode.support)
    )
    return replace(episode, support=support)
