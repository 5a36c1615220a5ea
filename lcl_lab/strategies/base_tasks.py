"""The base model's original tasks, generated from the renderer's ground truth: captions, questions, boxes, names.

Each is one question about one image. The base model never sees two images in a prompt.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from lcl_lab.concepts import Appearance, Box, ImageRef
from lcl_lab.prompts import ASK, CAPTION, QUESTION, WHERE, Prompt, chat_prompt, single_question, write_box

__all__ = ["CORPUS", "BaseTasks"]

CORPUS = "corpus"
"""The dataset name of the images of a corpus in prompts."""
_NAMING = 0.2  # share of the tasks that ask for the name of a known object


@dataclass(frozen=True)
class BaseTasks:
    """Draws tasks about the images of a corpus.

    The rows of known objects, the only ones with names, come last.

    Attributes:
        appearances: what each image shows.
        boxes: where it shows it.
        names: the name of the object, or "" for an object without one.
    """

    appearances: Sequence[Appearance]
    boxes: Sequence[Box]
    names: Sequence[str]

    def draw(self, rng: np.random.Generator) -> Prompt:
        """Draw a task: the name of a known object, else a caption, a box, or a question about one factor."""
        named = rng.random() < _NAMING
        row = self._row(rng, named)
        image = ImageRef(CORPUS, "", row)
        if named:
            return single_question(QUESTION, image, self.names[row])
        chance = rng.random()
        if chance < 0.2:
            return single_question(CAPTION, image, self.appearances[row].describe())
        if chance < 0.35:
            return single_question(WHERE, image, write_box(self.boxes[row]))
        factor = str(rng.choice(list(ASK)))
        return single_question(ASK[factor], image, getattr(self.appearances[row], factor))

    def name_many(self, rng: np.random.Generator, shots: int) -> Prompt:
        """Draw an in-context prompt that can be answered without its labels: K + 1 known objects with their names.

        Args:
            rng: the random generator.
            shots: K, the number of support images.
        """
        rows = [self._row(rng, named=True) for _ in range(shots + 1)]
        *support, query = ((ImageRef(CORPUS, "", row), self.names[row]) for row in rows)
        return chat_prompt(support, query[0], (query[1],))

    @cached_property
    def _unnamed(self) -> int:
        """The number of rows without a name; they come first."""
        return list(map(bool, self.names)).index(True)

    def _row(self, rng: np.random.Generator, named: bool) -> int:
        return int(rng.integers(self._unnamed, len(self.names)) if named else rng.integers(self._unnamed))
