"""Changes an episode in one respect: which labels are false, in what order shots come, what things are called.

False labels are nested: what is false at ratio 0.25 is false at 0.5 too. Draws depend on (study seed, support) or
(study seed, query) and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from lcl_lab.episodes.episode import Episode

__all__ = ["falsify", "falsify_at", "falsify_some", "rename", "reorder"]

_FALSE, _SOME, _ORDER = 1, 2, 3  # streams of draws; 0 is the support's own


def falsify(episode: Episode, ratio: float) -> Episode:
    """Exactly round(ratio · K) of the labels replaced by the other concept's name (paper Figure 7)."""
    rng = np.random.default_rng([episode.seed, episode.support_id, _FALSE])
    ranks = rng.permutation(len(episode.support))
    count = round(ratio * len(episode.support))
    return _flip(episode, {int(position) for position in ranks[:count]})


def falsify_at(episode: Episode, position: int) -> Episode:
    """The label of the shot at `position` (1 = first) replaced by the other concept's name (Figure 8).

    Raises:
        IndexError: there is no such shot.
    """
    if not 1 <= position <= len(episode.support):
        raise IndexError(f"no shot {position} in a support of {len(episode.support)}")
    return _flip(episode, {position - 1})


def falsify_some(episode: Episode, chance: float) -> Episode:
    """Each label on its own replaced by the other concept's name with this chance, anew for every query."""
    rng = np.random.default_rng([episode.seed, episode.query_id, _SOME])
    flips = rng.random(len(episode.support)) < chance
    return _flip(episode, {int(position) for position in np.flatnonzero(flips)})


def reorder(episode: Episode, order: int, balanced: bool = True) -> Episode:
    """The same shots in another order: number 0 is the one that was drawn, the others are random.

    A balanced order is one that could have been drawn: every two consecutive shots are one of each concept.
    """
    if order == 0:
        return episode
    rng = np.random.default_rng([episode.seed, episode.support_id, _ORDER, order, int(balanced)])
    mixed = [episode.support[k] for k in rng.permutation(len(episode.support))]
    if balanced:
        concepts = sorted({example.image.concept for example in mixed})
        apart = ([e for e in mixed if e.image.concept == concept] for concept in concepts)
        twos = [two if rng.random() < 0.5 else two[::-1] for two in zip(*apart, strict=True)]
        mixed = [example for two in twos for example in two]
    return replace(episode, support=tuple(mixed))


def rename(episode: Episode, names: Mapping[str, str]) -> Episode:
    """The same images under other names: what is true stays true, and what is false stays false."""
    support = tuple(
        replace(example, label=names[example.label], true_label=names[example.true_label])
        for example in episode.support
    )
    return replace(episode, support=support, true_name=names[episode.true_name], other_name=names[episode.other_name])


def _flip(episode: Episode, positions: set[int]) -> Episode:
    swap = {episode.true_name: episode.other_name, episode.other_name: episode.true_name}
    support = tuple(
        replace(example, label=swap[example.label]) if k in positions else example
        for k, example in enumerate(episode.support)
    )
    return replace(episode, support=support)
