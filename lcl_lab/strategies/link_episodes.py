"""Training episodes: a positive concept, a hard negative, and a query of either (paper, section 3.2).

The positive concept is uniform and is called by a random string of 1 to 10 letters, or by a name of any form. The
negative is one of its neighbours, drawn by the paper's distribution, and keeps its name. The query shows either with
probability ½. An n-way episode has n − 1 different negatives, each drawn in the same way, and the query shows any of
the n concepts.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lcl_lab.concepts import Dataset, ImageRef, Naming, random_name, random_string
from lcl_lab.errors import UserError
from lcl_lab.prompts import Prompt, chat_prompt
from lcl_lab.strategies.distributions import negatives

__all__ = ["LinkEpisodes"]


class LinkEpisodes:
    """Draws training episodes over the concepts of a dataset.

    Args:
        dataset: C concepts.
        neighbours: (C, N), the N neighbours of each concept, most similar first, as indices in the dataset's order.
        images: use images 0 … `images` − 1 of each concept, or all where it has fewer.
        ways: the number n of concepts in an episode.
        names: how the positive is named.

    Raises:
        UserError: a concept has fewer than n − 1 neighbours with different names.
    """

    def __init__(
        self,
        dataset: Dataset,
        neighbours: NDArray[np.int64],
        images: int,
        ways: int = 2,
        names: Naming = "letters",
    ) -> None:
        self._dataset = dataset
        self._ids = list(dataset.concepts)
        self._neighbours = neighbours
        self._images = images
        self._rank = negatives(neighbours.shape[1])
        self._ways = ways
        self._draw_name = random_string if names == "letters" else random_name
        if ways > 2:
            self._check_ways()

    def draw(self, rng: np.random.Generator, shots: int) -> Prompt:
        """Draw one episode as a prompt of K + 1 questions.

        Every n consecutive shots show one image of each concept in random order; those after the last n show different
        ones.

        Args:
            rng: the random generator.
            shots: K, the number of support images.

        Returns:
            A prompt whose candidates are the correct name and the others.
        """
        positive, *negatives = self._draw_concepts(rng, self._ways)
        names = {positive: self._draw_name(rng), **{id: self._dataset.concepts[id].name for id in negatives}}
        unused = {concept: iter(rng.permutation(self._available(concept)).tolist()) for concept in names}
        order = [str(c) for _ in range(-(-shots // self._ways)) for c in rng.permutation(list(names))]
        target = str(rng.choice(list(names)))
        support = [(ImageRef(self._dataset.name, c, next(unused[c])), names[c]) for c in order[:shots]]
        query = ImageRef(self._dataset.name, target, next(unused[target]))
        others = [name for concept, name in names.items() if concept != target]
        return chat_prompt(support, query, (names[target], *others))

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

        Raises:
            UserError: the episodes are to have more than two concepts, which that code does not draw.
        """
        if self._ways != 2:
            raise UserError("the episodes of the authors' code have two concepts", option="ways", value=self._ways)
        positive, negative = self._draw_concepts(rng, 2)
        names = {positive: self._draw_name(rng), negative: self._dataset.concepts[negative].name.lower()}
        order = rng.permutation([concept for concept in names for _ in range(shots // 2)]).tolist()
        support = [(self._any_image(rng, concept), names[concept]) for concept in order]
        target = str(rng.choice(list(names)))
        other = next(name for concept, name in names.items() if concept != target)
        return chat_prompt(support, self._any_image(rng, target), (names[target], other))

    def _draw_concepts(self, rng: np.random.Generator, ways: int) -> list[str]:
        """A positive concept and its negatives, all with different names."""
        positive = int(rng.integers(len(self._ids)))
        chosen = [self._ids[positive]]
        names = {self._dataset.concepts[chosen[0]].name}
        while len(chosen) < ways:
            negative = self._ids[int(self._neighbours[positive, self._rank.draw(rng) - 1])]
            # Of two concepts, the negative may have any name: the positive is called by another one.
            if ways == 2 or self._dataset.concepts[negative].name not in names:
                chosen.append(negative)
                names.add(self._dataset.concepts[negative].name)
        return chosen

    def _check_ways(self) -> None:
        for row, id in zip(self._neighbours, self._ids, strict=True):
            names = {self._dataset.concepts[self._ids[index]].name for index in row}
            different = len(names - {self._dataset.concepts[id].name}) + 1
            if different < self._ways:
                reason = f"concept {id!r} has neighbours for {different}"
                raise UserError(reason, option="ways", value=self._ways)

    def _any_image(self, rng: np.random.Generator, concept: str) -> ImageRef:
        return ImageRef(self._dataset.name, concept, int(rng.integers(self._available(concept))))

    def _available(self, concept: str) -> int:
        return min(self._images, self._dataset.concepts[concept].images)
