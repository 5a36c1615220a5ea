"""Draws episodes from (study seed, query id) alone.

Supports are nested: every two consecutive shots are one of each concept in random order, so the
first k shots of a support are its k-shot support, and conditions of different k differ only in the
shots that were added: comparisons between conditions are paired to the last image.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from lcl_lab.concepts import Concept, Dataset, ImageRef, Pair
from lcl_lab.episodes.episode import Episode, Example
from lcl_lab.errors import UserError

__all__ = ["check_shots", "draw_episode", "redraw"]

_SUPPORT, _REDRAW = 0, 4  # streams of draws; those between are of changes, so that one draw never shifts another


def check_shots(concepts: Dataset, shots: int, queries_per_support: int = 1) -> None:
    """Refuse a shot count that no episode of the set can have.

    Raises:
        UserError: odd or negative, or more shots than a concept has images beside the queries.
    """
    if shots < 0 or shots % 2:
        raise UserError(f"--shots {shots}: shots are shared by two concepts; give an even number, such as {shots + 1}")
    own = (queries_per_support + 1) // 2

    def most_of(concept: Concept) -> int:
        return 2 * (concept.contexts or concept.images - own)

    fewest = min(concepts.concepts.values(), key=most_of)
    most = most_of(fewest)
    if shots > most or (fewest.contexts and fewest.images - fewest.contexts < own):
        beside = "a query" if queries_per_support == 1 else f"{queries_per_support} queries"
        raise UserError(
            f"--shots {shots}: concept {fewest.name!r} of {concepts.name} has {fewest.images} images, "
            f"enough for {max(most, 0)} shots and {beside}"
        )


def draw_episode(concepts: Dataset, seed: int, query_id: int, shots: int, queries_per_support: int = 1) -> Episode:
    """The episode of one query: its support has `shots` images in all (paper section 4: k = k/2 + k/2).

    Consecutive supports go through the pairs in turn, asking for the positive and then for the negative
    concept; consecutive queries of one support ask for both in turn, each with another image.
    """
    number = len(concepts.pairs)
    drawn, turn = divmod(query_id, queries_per_support)
    pair = concepts.pairs[drawn % number]
    asked, other = pair if (drawn // number + turn) % 2 == 0 else (pair.negative, pair.positive)
    rng = np.random.default_rng([seed, drawn, _SUPPORT])

    queries, supports = {}, {}
    for concept in pair:
        queries[concept], supports[concept] = _split(concepts.concepts[concept], rng, queries_per_support)
    query = ImageRef(concepts.name, asked, int(queries[asked][turn // 2]))
    return Episode(
        data=concepts.name,
        seed=seed,
        query_id=query_id,
        support_id=drawn,
        pair=str(pair),
        support=_arrange(concepts, pair, supports, shots, rng),
        query=query,
        true_name=concepts.concepts[asked].name,
        other_name=concepts.concepts[other].name,
    )


def redraw(concepts: Dataset, episode: Episode, draw: int) -> Episode:
    """The same query after another support of the same pair: number 0 is the one that was drawn.

    An image of the other support may be in this one too, but never the query.
    """
    if draw == 0:
        return episode
    rng = np.random.default_rng([episode.seed, episode.query_id, _REDRAW, draw])
    pair = next(pair for pair in concepts.pairs if str(pair) == episode.pair)
    images = {}
    for concept in pair:
        own = concepts.concepts[concept]
        order = rng.permutation(own.contexts or own.images).tolist()
        images[concept] = [number for number in order if (concept, number) != episode.query[1:]]
    return replace(episode, support=_arrange(concepts, pair, images, len(episode.support), rng))


def _arrange(
    concepts: Dataset,
    pair: Pair,
    images: Mapping[str, Sequence[int] | NDArray[np.int64]],
    shots: int,
    rng: np.random.Generator,
) -> tuple[Example, ...]:
    """Every two shots one of each concept, in random order."""
    support = []
    for shot in range(shots // 2):
        two = [ImageRef(concepts.name, concept, int(images[concept][shot])) for concept in pair]
        support += two if rng.random() < 0.5 else two[::-1]
    names = {concept: concepts.concepts[concept].name for concept in pair}
    return tuple(Example(ref, names[ref.concept], names[ref.concept]) for ref in support)


def _split(concept: Concept, rng: np.random.Generator, queries: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The images of a concept that queries take in turn, and those that shots take, both in random order."""
    order = rng.permutation(concept.images)
    if concept.contexts:
        return order[order >= concept.contexts], order[order < concept.contexts]
    own = (queries + 1) // 2
    return order[:own], order[own:]
