"""Open-set episodes: the query may be of a concept that the support does not show."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from lcl_lab import concepts
from lcl_lab.concepts import ImageRef
from lcl_lab.episodes.arguments import check_fraction
from lcl_lab.episodes.episode import NONE_OF_THESE, Episode
from lcl_lab.errors import UserError
from lcl_lab.type_checks import check_type

__all__ = ["open_set"]

_STREAM = 9  # of the random generator


def open_set(episode: Episode, share: float, final_question: str = "") -> Episode:
    """Let the query be of a concept outside the support with some probability, and ``"none of these"`` a candidate.

    The other concept is the one that comes closest to those in the support (see `look_alike_group`). The true name of
    such a query is ``"none of these"``, and all names of the support are wrong. Random choices depend on (study seed,
    query id) only, and shares are nested: a query that is outside at 0.25 is also outside at 0.5.

    Args:
        episode: an episode that knows its dataset, as `draw_episode` returns it.
        share: the probability of a query from outside, from 0 to 1.
        final_question: the question about the query; empty for the usual one.

    Raises:
        UserError: the share is out of range, the episode has no dataset, a concept is named "none of these", or the
            dataset has no further concept.
    """
    check_type(episode, Episode, "episode")
    check_fraction("share", share)
    if NONE_OF_THESE in episode.names:
        raise UserError(f"a concept is already named {NONE_OF_THESE!r}", option="episode")
    rng = np.random.default_rng([episode.seed, episode.query_id, _STREAM])
    is_outside = bool(rng.random() < share)
    question = final_question or episode.final_question
    if not is_outside:
        further = (*episode.further_names, NONE_OF_THESE)
        return replace(episode, further_names=further, final_question=question)
    return replace(
        episode,
        query=_outside_image(episode, rng),
        true_name=NONE_OF_THESE,
        other_name=episode.true_name,
        further_names=episode.other_names,
        final_question=question,
    )


def _outside_image(episode: Episode, rng: np.random.Generator) -> ImageRef:
    """A random image, one for queries where there are separate ones, of the closest concept outside the support."""
    dataset = episode.dataset
    if dataset is None:
        raise UserError("has no dataset to draw images from; create it with draw_episode", option="episode")
    pair = next((pair for pair in dataset.pairs if str(pair) == episode.pair), None)
    if pair is None:
        raise UserError(f"{dataset.name} has no pair {episode.pair}", option="episode")
    concept = dataset.concepts[concepts.look_alike_group(dataset, pair, len(episode.names) + 1)[-1]]
    return ImageRef(dataset.name, concept.id, int(rng.integers(concept.contexts, concept.images)))
