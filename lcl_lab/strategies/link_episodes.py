"""Training episodes: a positive concept, a hard negative, and a query of either (paper, section 3.2).

The positive concept is uniform and is called by a random string of 1 to 10 letters. The negative is one of its
neighbours, drawn by the paper's distribution, and keeps its name. The query shows either with probability ½.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lcl_lab.concepts import Dataset, ImageRef, random_string
from lcl_lab.prompts import Prompt, chat_prompt
from lcl_lab.strategies.distributions import negatives

__all__ = ["LinkEpisodes"]


class LinkEpisodes:
    """Draws training episodes over the concepts of a dataset.

    Args:
        dataset: C concepts.
        neighbours: (C, N), the N neighbours of each concept, most similar first, as indices in the dataset's order.
        images: use images 0 … `images` − 1 of each concept, or all where it has fewer.
    """

    def __init__(self, dataset: Dataset, neighbours: NDArray[np.int64], images: int) -> None:
        self._dataset = dataset
        self._ids = list(dataset.concepts)
        self._neighbours = neighbours
        self._images = images
        self._rank = negatives(neighbours.shape[1])

    def draw(self, rng: np.random.Generator, shots: int) -> Prompt:
        """Draw one episode as a prompt of K + 1 questions.

        Every two consecutive shots show one image of each concept in random order; the last of an odd number shows
        either.

        Args:
            rng: the random generator.
            shots: K, the number of support images.

        Returns:
            A prompt whose candidates are the correct name and the other one.
        """
        positive, negative = self._draw_pair(rng)
        names = {positive: random_string(rng), negative: self._dataset.concepts[negative].name}
        unused = {concept: iter(rng.permutation(self._available(concept)).tolist()) for concept in names}
        order = [str(c) for _ in range((shots + 1) // 2) for c in rng.permutation(list(names))]
        target = str(rng.choice(list(names)))
        support = [(ImageRef(self._dataset.name, c, next(unused[c])), names[c]) for c in order[:shots]]
        query = ImageRef(self._dataset.name, target, next(unused[target]))
        other = next(name for concept, name in names.items() if concept != target)
        return chat_prompt(support, query, (names[target], other))

    def draw_as_released(self, rng: np.random.Generator, shots: int) -> Prompt:
        """Draw one episode as the authors' training code does (``ImageNet1kDatasetTrain.policy_2way_weight``).

        In contrast to `draw`, images are drawn with replacement, so that the query may show an image of the support;
        the shots are in any order; and the negative's name is in lower case. Its first image, which the code takes
        from the file of neighbours, is drawn like the others. The question about the query is that of `draw`: the 44
        templates of the code are left out.

        Args:
            rng: the random generator.
            shots: K, the number of support images, half of each concept.

        Returns:
            A prompt whose candidates are the correct name and the other one.
        """
        positive, negative = self._draw_pair(rng)
        names = {positive: random_string(rng), negative: self._dataset.concepts[negative].name.lower()}
        order = rng.permutation([concept for concept in names for _ in range(shots // 2)]).tolist()
        support = [(self._any_image(rng, concept), names[concept]) for concept in order]
        target = str(rng.choice(list(names)))
        other = next(name for concept, name in names.items() if concept != target)
        return chat_prompt(support, self._any_image(rng, target), (names[target], other))

    def _draw_pair(self, rng: np.random.Generator) -> tuple[str, str]:
        positive = int(rng.integers(len(self._ids)))
        negative = int(self._neighbours[positive, self._rank.draw(rng) - 1])
        return self._ids[positive], self._ids[negative]

    def _any_image(self, rng: np.random.Generator, concept: str) -> ImageRef:
        return ImageRef(self._dataset.name, concept, int(rng.integers(self._available(concept))))

    def _available(self, concept: str) -> int:
        return min(self._images, self._dataset.concepts[concept].images)
