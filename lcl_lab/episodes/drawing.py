"""Draws episodes; each depends on the dataset, the study seed and the query id only.

Supports are nested: every two consecutive shots show one image of each concept, in random order. So the first k shots
of a support are the k-shot support of the same query, and comparisons between numbers of shots are paired.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from lcl_lab import concepts
from lcl_lab.concepts import Concept, Dataset, ImageRef, Pair
from lcl_lab.episodes.arguments import check_integer
from lcl_lab.episodes.episode import Episode, Example
from lcl_lab.episodes.release_episodes import ReleaseEpisodes
from lcl_lab.errors import UserError

__all__ = ["check_shots", "draw_episode", "redraw"]

_SUPPORT, _REDRAW = 0, 4  # random streams; those in between belong to perturbations, so that no draw shifts another


def draw_episode(
    dataset: Dataset | str, seed: int = 0, query_id: int = 0, shots: int = 8, queries_per_support: int = 1
) -> Episode:
    """Draw the episode of one query.

    Consecutive supports go through the pairs of the dataset in turn; after each round, the other concept of the pairs
    becomes the query. Consecutive queries that share a support alternate between the two concepts.

    Args:
        dataset: a dataset, or the name of one (see `load_dataset`).
        seed: the study seed.
        query_id: the number of the query in the study, from 0.
        shots: the number K of images in the support, K/2 of each concept.
        queries_per_support: the number of consecutive queries that share a support.

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
    if isinstance(data, ReleaseEpisodes):
        _check_own_supports(queries_per_support)
        return data.draw(seed, query_id, shots)
    support_id, turn = divmod(query_id, queries_per_support)
    pair = data.pairs[support_id % len(data.pairs)]
    _check_shots(data, [data.concepts[id] for id in pair], shots, queries_per_support)

    true, other = pair if (support_id // len(data.pairs) + turn) % 2 == 0 else (pair.negative, pair.positive)
    rng = np.random.default_rng([seed, support_id, _SUPPORT])
    queries, supports = {}, {}
    for id in pair:
        queries[id], supports[id] = _split(data.concepts[id], rng, queries_per_support)
    return Episode(
        data=data.name,
        seed=seed,
        query_id=query_id,
        support_id=support_id,
        pair=str(pair),
        support=_arrange(data, pair, supports, shots, rng),
        query=ImageRef(data.name, true, int(queries[true][turn // 2])),
        true_name=data.concepts[true].name,
        other_name=data.concepts[other].name,
        dataset=data,
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
    images = {}
    for id in pair:
        concept = dataset.concepts[id]
        order = rng.permutation(concept.contexts or concept.images).tolist()
        images[id] = [number for number in order if (id, number) != episode.query[1:]]
    return replace(episode, support=_arrange(dataset, pair, images, len(episode.support), rng))


def check_shots(dataset: Dataset, shots: int, queries_per_support: int = 1) -> None:
    """Check that all episodes of a dataset can have a number of shots.

    Raises:
        UserError: the number is odd or negative, or a concept has too few images for the shots and the queries.
    """
    check_integer("queries_per_support", queries_per_support, least=1)
    if isinstance(dataset, ReleaseEpisodes):
        _check_own_supports(queries_per_support)
        dataset.check_shots(shots)
        return
    _check_shots(dataset, list(dataset.concepts.values()), shots, queries_per_support)


def _check_own_supports(queries_per_support: int) -> None:
    if queries_per_support != 1:
        reason = "every query of the release has its own support"
        raise UserError(reason, option="queries_per_support", value=queries_per_support)


def _check_shots(dataset: Dataset, involved: Sequence[Concept], shots: int, queries_per_support: int) -> None:
    check_integer("shots", shots)
    queries = (queries_per_support + 1) // 2
    scarcest = min(involved, key=lambda concept: _most_shots(concept, queries))
    most = _most_shots(scarcest, queries)
    if shots % 2:
        even = max(0, min(shots + 1, most))
        raise UserError(
            f"half of the shots belong to each of two concepts; give an even number, such as {even}",
            option="shots",
            value=shots,
        )
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
    return max(0, min(_most_shots(concept, queries) for concept in dataset.concepts.values()))


def _most_shots(concept: Concept, queries: int) -> int:
    return 2 * (concept.contexts or concept.images - queries)


def _arrange(
    dataset: Dataset,
    pair: Pair,
    images: Mapping[str, Sequence[int] | NDArray[np.int64]],
    shots: int,
    rng: np.random.Generator,
) -> tuple[Example, ...]:
    """A support in which every two consecutive shots show one image of each concept, in random order."""
    support: list[ImageRef] = []
    for shot in range(shots // 2):
        two = [ImageRef(dataset.name, id, int(images[id][shot])) for id in pair]
        support += two if rng.random() < 0.5 else two[::-1]
    names = {id: dataset.concepts[id].name for id in pair}
    return tuple(Example(ref, names[ref.concept], names[ref.concept]) for ref in support)


def _split(concept: Concept, rng: np.random.Generator, queries: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The images of a concept for queries and those for shots, both in random order."""
    order = rng.permutation(concept.images)
    if concept.contexts:
        return order[order >= concept.contexts], order[order < concept.contexts]
    count = (queries + 1) // 2
    return order[:count], order[count:]
