"""Draws episodes; each depends on the dataset, the study seed and the query id only.

Supports are nested: every n consecutive shots show one image of each concept, in random order. So the first k shots of
a support are the k-shot support of the same query, and comparisons between numbers of shots are paired. For any number
of ways, the query and the first images of the pair's two concepts are the same, so that these comparisons are paired,
too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from lcl_lab import concepts
from lcl_lab.concepts import Concept, Dataset, ImageRef
from lcl_lab.episodes.arguments import check_integer
from lcl_lab.episodes.episode import Episode, Example
from lcl_lab.episodes.group_order import in_random_order
from lcl_lab.episodes.release_episodes import ReleaseEpisodes
from lcl_lab.errors import UserError

__all__ = ["check_shots", "draw_episode", "redraw"]

_SUPPORT, _REDRAW = 0, 4  # random streams; those in between belong to perturbations, so that no draw shifts another


def draw_episode(
    dataset: Dataset | str,
    seed: int = 0,
    query_id: int = 0,
    shots: int = 8,
    queries_per_support: int = 1,
    ways: int = 2,
) -> Episode:
    """Draw the episode of one query.

    Consecutive supports go through the pairs of the dataset in turn; after each round, the other concept of the pairs
    becomes the query. Consecutive queries that share a support alternate between the two concepts.

    An n-way support also shows the n − 2 concepts that come closest to the pair (see `look_alike_group`). They are
    wrong candidates only: the query is of the pair for any number of ways.

    Args:
        dataset: a dataset, or the name of one (see `load_dataset`).
        seed: the study seed.
        query_id: the number of the query in the study, from 0.
        shots: the number K of images in the support, K/n of each concept.
        queries_per_support: the number of consecutive queries that share a support.
        ways: the number n of concepts in the support.

    Returns:
        The episode. The same arguments always give the same one.

    Raises:
        UserError: there is no such dataset, or an argument is out of range.
    """
    data = concepts.load_dataset(dataset) if isinstance(dataset, str) else dataset
    if not hasattr(data, "pairs"):  # a full check at every draw would be slow
        concepts.check_dataset(data)
    check_integer("seed", seed)
    check_integer("query_id", query_id)
    check_integer("queries_per_support", queries_per_support, least=1)
    check_integer("ways", ways, least=2)
    if isinstance(data, ReleaseEpisodes):
        _check_release(queries_per_support, ways)
        return data.draw(seed, query_id, shots)
    support_id, turn = divmod(query_id, queries_per_support)
    pair = data.pairs[support_id % len(data.pairs)]
    group = concepts.look_alike_group(data, pair, ways)
    _check_shots(data, [data.concepts[id] for id in group], shots, queries_per_support, ways)

    true, other = pair if (support_id // len(data.pairs) + turn) % 2 == 0 else (pair.negative, pair.positive)
    rng = np.random.default_rng([seed, support_id, _SUPPORT])
    queries, supports = {}, {}
    for id in group:
        queries[id], supports[id] = _split(data.concepts[id], rng, queries_per_support)
    return Episode(
        data=data.name,
        seed=seed,
        query_id=query_id,
        support_id=support_id,
        pair=str(pair),
        support=_arrange(data, group, supports, shots, rng),
        query=ImageRef(data.name, true, int(queries[true][turn // 2])),
        true_name=data.concepts[true].name,
        other_name=data.concepts[other].name,
        dataset=data,
        further_names=tuple(data.concepts[id].name for id in group[2:]),
    )


def redraw(episode: Episode, draw: int) -> Episode:
    """Replace the support by another one of the same pair and size.

    Args:
        episode: an episode that knows its dataset, as `draw_episode` returns it.
        draw: the number of the new support; 0 keeps the support.

    Returns:
        An episode with the same query. Its support may share images with the old one, but never contains the query.

    Raises:
        UserError: the episode has no dataset, or the number is negative.
    """
    check_integer("draw", draw)
    if draw == 0:
        return episode
    dataset = episode.dataset
    if dataset is None:
        raise UserError("has no dataset to draw images from; create it with draw_episode", option="episode")
    pair = next((pair for pair in dataset.pairs if str(pair) == episode.pair), None)
    if pair is None:
        raise UserError(f"{dataset.name} has no pair {episode.pair}", option="episode")
    rng = np.random.default_rng([episode.seed, episode.query_id, _REDRAW, draw])
    group = concepts.look_alike_group(dataset, pair, len(episode.concept_names))
    images = {}
    for id in group:
        concept = dataset.concepts[id]
        order = rng.permutation(concept.contexts or concept.images).tolist()
        images[id] = [number for number in order if (id, number) != episode.query[1:]]
    return replace(episode, support=_arrange(dataset, group, images, len(episode.support), rng))


def check_shots(dataset: Dataset, shots: int, queries_per_support: int = 1, ways: int = 2) -> None:
    """Check that all episodes of a dataset can have a number of shots.

    Raises:
        UserError: the number is negative or no multiple of the ways, there are fewer concepts than ways, or a concept
            has too few images for the shots and the queries.
    """
    check_integer("queries_per_support", queries_per_support, least=1)
    check_integer("ways", ways, least=2)
    if isinstance(dataset, ReleaseEpisodes):
        _check_release(queries_per_support, ways)
        dataset.check_shots(shots)
        return
    concepts.look_alike_group(dataset, dataset.pairs[0], ways)
    _check_shots(dataset, list(dataset.concepts.values()), shots, queries_per_support, ways)


def _check_release(queries_per_support: int, ways: int) -> None:
    if ways != 2:
        raise UserError("the episodes of the release have two concepts; give 2", option="ways", value=ways)
    if queries_per_support != 1:
        reason = "every query of the release has its own support"
        raise UserError(reason, option="queries_per_support", value=queries_per_support)


def _check_shots(
    dataset: Dataset, involved: Sequence[Concept], shots: int, queries_per_support: int, ways: int
) -> None:
    check_integer("shots", shots)
    queries = (queries_per_support + 1) // 2
    scarcest = min(involved, key=lambda concept: _most_shots(concept, queries, ways))
    most = _most_shots(scarcest, queries, ways)
    if shots % ways:
        near = max(0, min((shots + ways // 2) // ways * ways, most))
        reason = (
            f"half of the shots belong to each of two concepts; give an even number, such as {near}"
            if ways == 2
            else f"the shots belong to {ways} concepts in equal parts; give a multiple of {ways}, such as {near}"
        )
        raise UserError(reason, option="shots", value=shots)
    if scarcest.contexts and scarcest.images - scarcest.contexts < queries:
        raise UserError(
            f"concept {scarcest.name!r} of {dataset.name} has {scarcest.images - scarcest.contexts} images for "
            f"queries, too few for {queries_per_support} queries per support",
            option="queries_per_support",
            value=queries_per_support,
        )
    if shots > most or most < 0:
        use = "a query" if queries_per_support == 1 else f"{queries_per_support} queries"
        raise UserError(
            f"concept {scarcest.name!r} of {dataset.name} has {scarcest.images} images, enough for "
            f"{max(most, 0)} shots and {use}",
            option="shots",
            value=shots,
        )


def most_shots(dataset: Dataset, queries_per_support: int = 1) -> int:
    """The largest number of shots that all episodes of a dataset can have.

    Args:
        dataset: the dataset.
        queries_per_support: queries that share a support.
    """
    if isinstance(dataset, ReleaseEpisodes):
        return dataset.most_shots
    queries = (queries_per_support + 1) // 2
    return max(0, min(_most_shots(concept, queries, 2) for concept in dataset.concepts.values()))


def _most_shots(concept: Concept, queries: int, ways: int) -> int:
    return ways * (concept.contexts or concept.images - queries)


def _arrange(
    dataset: Dataset,
    group: Sequence[str],
    images: Mapping[str, Sequence[int] | NDArray[np.int64]],
    shots: int,
    rng: np.random.Generator,
) -> tuple[Example, ...]:
    """A support in which every n consecutive shots show one image of each concept, in random order."""
    support: list[ImageRef] = []
    for shot in range(shots // len(group)):
        support += in_random_order([ImageRef(dataset.name, id, int(images[id][shot])) for id in group], rng)
    names = {id: dataset.concepts[id].name for id in group}
    return tuple(Example(ref, names[ref.concept], names[ref.concept]) for ref in support)


def _split(concept: Concept, rng: np.random.Generator, queries: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The images of a concept for queries and those for shots, both in random order."""
    order = rng.permutation(concept.images)
    if concept.contexts:
        return order[order >= concept.contexts], order[order < concept.contexts]
    count = (queries + 1) // 2
    return order[:count], order[count:]
