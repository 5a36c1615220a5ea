"""`[2-way]` (paper section 3.2): a positive class against a hard negative, and a query from either.

The positive class is uniform and is called by a random string of 1 to 10 letters; the negative is
neighbour j with p_j = (N + 1 − j) / Σ m and keeps its own name; only the final answer carries loss.
The paper trains at 16 shots throughout. A decoder of this size first needs short supports to notice
that names and images go together, so training begins with 4 shots.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lcl_lab.concepts import ConceptSet, ImageRef, random_string
from lcl_lab.prompts import QUESTION, Prompt, Turn

__all__ = ["TwoWay"]


class TwoWay:
    """Draws training episodes over the classes of a set, from images 0 … `images` − 1 of each.

    `neighbours` (C, N) are indices of classes in the set's order, most similar first.
    """

    def __init__(self, concepts: ConceptSet, neighbours: NDArray[np.int64], images: int) -> None:
        self._concepts = concepts
        self._ids = list(concepts.concepts)
        self._neighbours = neighbours
        self._images = images
        count = neighbours.shape[1]
        self._weights = np.arange(count, 0, -1) / (count * (count + 1) / 2)

    def draw(self, rng: np.random.Generator, shots: int) -> Prompt:
        """One episode as a prompt of K + 1 questions; its only candidate is the right answer."""
        positive = rng.integers(len(self._ids))
        negative = self._neighbours[positive, rng.choice(len(self._weights), p=self._weights)]
        own = self._concepts.concepts[self._ids[negative]].name
        called = {self._ids[positive]: random_string(rng), self._ids[negative]: own}
        order = {concept: rng.permutation(self._images) for concept in called}
        turns: list[Turn] = []
        for shot in range(1, shots // 2 + 1):
            for concept in rng.permutation(list(called)):
                turns += [self._question(concept, order[concept][shot]), Turn("assistant", (called[concept],))]
        asked = str(rng.choice(list(called)))
        turns.append(self._question(asked, order[asked][0]))
        return Prompt(tuple(turns), (called[asked],))

    def _question(self, concept: str, number: int) -> Turn:
        return Turn("user", (QUESTION, ImageRef(self._concepts.name, str(concept), int(number))))
