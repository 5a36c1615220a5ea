"""Original tasks of a model that knows things by their names: one image, one question, one name."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lcl_lab.concepts import Dataset, ImageRef
from lcl_lab.prompts import QUESTION, Prompt, chat_prompt, single_question

__all__ = ["NamingTasks"]


@dataclass(frozen=True)
class NamingTasks:
    """Draws tasks that ask for the name of a concept.

    Attributes:
        dataset: the concepts.
        images: use images 0 … `images` − 1 of each concept, or all where it has fewer.
    """

    dataset: Dataset
    images: int

    def draw(self, rng: np.random.Generator) -> Prompt:
        """Draw a task: the name of what one image shows."""
        image, name = self._example(rng)
        return single_question(QUESTION, image, name)

    def name_many(self, rng: np.random.Generator, shots: int) -> Prompt:
        """Draw an in-context prompt that can be answered without its labels: K + 1 concepts with their names.

        Args:
            rng: the random generator.
            shots: K, the number of support images.
        """
        *support, query = (self._example(rng) for _ in range(shots + 1))
        return chat_prompt(support, query[0], (query[1],))

    def _example(self, rng: np.random.Generator) -> tuple[ImageRef, str]:
        concepts = list(self.dataset.concepts.values())
        concept = concepts[int(rng.integers(len(concepts)))]
        number = int(rng.integers(min(self.images, concept.images)))
        return ImageRef(self.dataset.name, concept.id, number), concept.name
