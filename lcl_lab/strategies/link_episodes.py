"""Training episodes: a positive class against a hard negative, and a query from either (paper section 3.2).

The positive class is uniform and is called by a random string of 1 to 10 letters; the negative is one
of its neighbours by the paper's law and keeps its own name; the query asks for either with probability ½.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lcl_lab.concepts import Dataset, ImageRef, random_string
from lcl_lab.prompts import QUESTION, Prompt, Turn
from lcl_lab.strategies.distributions import negatives

__all__ = ["LinkEpisodes", "dialogue"]


class LinkEpisodes:
    """Draws episodes over the classes of a set, from images 0 … `images` − 1 of each.

    `neighbours` (C, N) are indices of classes in the set's order, most similar first.
    """

    def __init__(self, concepts: Dataset, neighbours: NDArray[np.int64], images: int) -> None:
        self._concepts = concepts
        self._ids = list(concepts.concepts)
        self._neighbours = neighbours
        self._images = images
        self._rank = negatives(neighbours.shape[1])

    def draw(self, rng: np.random.Generator, shots: int) -> Prompt:
        """One episode as a prompt of K + 1 questions: the right answer and the other name are its candidates.

        Every two consecutive shots are one of each class in random order; of an odd number the last is of either.
        """
        positive = int(rng.integers(len(self._ids)))
        negative = int(self._neighbours[positive, self._rank.draw(rng) - 1])
        own = self._concepts.concepts[self._ids[negative]].name
        called = {self._ids[positive]: random_string(rng), self._ids[negative]: own}
        left = {concept: iter(rng.permutation(self._images).tolist()) for concept in called}
        order = [str(c) for _ in range((shots + 1) // 2) for c in rng.permutation(list(called))]
        asked = str(rng.choice(list(called)))
        shown = [(ImageRef(self._concepts.name, c, next(left[c])), called[c]) for c in order[:shots]]
        query = ImageRef(self._concepts.name, asked, next(left[asked]))
        other = next(name for concept, name in called.items() if concept != asked)
        return dialogue(shown, query, (called[asked], other))


def dialogue(shown: Sequence[tuple[ImageRef, str]], query: ImageRef, candidates: tuple[str, ...]) -> Prompt:
    """Each image of the support with its name as a question and its answer, then the query."""
    turns = [turn for ref, name in shown for turn in (Turn("user", (QUESTION, ref)), Turn("assistant", (name,)))]
    return Prompt((*turns, Turn("user", (QUESTION, query))), candidates)
