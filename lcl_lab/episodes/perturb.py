"""Perturbations: each changes one aspect of an episode, such as false labels, order or names.

Random choices depend on (study seed, support id) or (study seed, query id) only. False labels are nested: a label that
is false at ratio 0.25 is also false at 0.5.

Of two names, a false label is the other one. Of n, it is the next one in alphabetical order, and the first one after
the last (a cyclic shift).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Literal, get_args

import numpy as np

from lcl_lab.episodes.arguments import check_fraction, check_integer
from lcl_lab.episodes.episode import Episode
from lcl_lab.episodes.group_order import in_random_order
from lcl_lab.errors import UserError, nearest
from lcl_lab.type_checks import check_type

__all__ = ["FalseLabels", "falsify", "falsify_at", "falsify_independently", "rename", "reorder"]

_FALSE, _INDEPENDENT, _ORDER, _DERANGEMENT = 1, 2, 3, 8  # random streams; 0 belongs to the support
FalseLabels = Literal["shift", "derangement"]
"""How false labels replace the true ones; see `falsify`."""


def falsify(episode: Episode, ratio: float, labels: FalseLabels = "shift") -> Episode:
    """Make a share of the labels false: replace them by another concept's name (paper Figure 7).

    Args:
        episode: the episode, with K shots.
        ratio: the share of false labels, from 0 to 1; exactly round(ratio · K) become false.
        labels: how names replace each other: by the cyclic ``"shift"``, or a random ``"derangement"`` of the names,
            which leaves none in its place and is the same for all labels of a support.

    Raises:
        UserError: the ratio is out of range, or there are no such false labels.
    """
    check_type(episode, Episode, "episode")
    check_fraction("ratio", ratio)
    if labels not in get_args(FalseLabels):
        raise UserError(nearest(str(labels), get_args(FalseLabels)), option="labels", value=labels)
    rng = np.random.default_rng([episode.seed, episode.support_id, _FALSE])
    ranks = rng.permutation(len(episode.support))
    count = round(ratio * len(episode.support))
    false_names = _derangement(episode) if labels == "derangement" else None
    return _swap_labels(episode, {int(position) for position in ranks[:count]}, false_names)


def falsify_at(episode: Episode, position: int) -> Episode:
    """Make the label at one position false: replace it by another concept's name (paper Figure 8).

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
        balanced: only use orders that `draw_episode` could draw, where every n consecutive shots show one image of
            each concept.

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
        shuffled = [example for group in zip(*by_concept, strict=True) for example in in_random_order(group, rng)]
    return replace(episode, support=tuple(shuffled))


def rename(episode: Episode, names: Mapping[str, str]) -> Episode:
    """Give the concepts other names. True labels stay true and false labels stay false.

    Args:
        episode: the episode.
        names: the new name for each of the old ones.

    Raises:
        UserError: an old name is missing, or two new names are the same.
    """
    check_type(episode, Episode, "episode")
    _check_names(episode.names, names)
    support = tuple(
        replace(example, label=names[example.label], true_label=names[example.true_label])
        for example in episode.support
    )
    true, other, *further = (names[name] for name in episode.names)
    return replace(episode, support=support, true_name=true, other_name=other, further_names=tuple(further))


def _check_names(old: Collection[str], names: Mapping[str, str]) -> None:
    for name in old:
        if name not in names:
            raise UserError(f"no new name for {name!r}; the episode's names are {', '.join(old)}", option="names")
    if len({names[name] for name in old}) < len(old):
        concepts = "the two concepts" if len(old) == 2 else "all concepts"
        raise UserError(f"{concepts} need different names", option="names")


def _shift(episode: Episode) -> dict[str, str]:
    """For each name the next one in alphabetical order, so that all queries of a support have the same false labels."""
    names = sorted(episode.concept_names)
    return dict(zip(names, names[1:] + names[:1], strict=True))


def _derangement(episode: Episode) -> dict[str, str]:
    """For each name another one, drawn uniformly from all permutations without a fixed point."""
    names = sorted(episode.concept_names)
    rng = np.random.default_rng([episode.seed, episode.support_id, _DERANGEMENT])
    while True:
        permuted: Sequence[str] = [names[k] for k in rng.permutation(len(names))]
        if all(old != new for old, new in zip(names, permuted, strict=True)):
            return dict(zip(names, permuted, strict=True))


def _swap_labels(episode: Episode, positions: Collection[int], false_names: Mapping[str, str] | None = None) -> Episode:
    """Replace the labels at the given positions, from 0, by other names; by default those of the cyclic shift."""
    other = false_names or _shift(episode)
    support = tuple(
        replace(example, label=other[example.label]) if k in positions else example
        for k, example in enumerate(episode.support)
    )
    return replace(episode, support=support)
