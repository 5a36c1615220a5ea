"""The base model's original tasks, made from the renderer's own truth: captions, questions, boxes, names.

Each is a single question about a single image. The base model never sees two images at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from lcl_lab.concepts import Appearance, Box, ImageRef
from lcl_lab.prompts import ASK, CAPTION, QUESTION, WHERE, Prompt, ask, write_box
from lcl_lab.strategies.link_episodes import dialogue

__all__ = ["CORPUS", "Tasks"]

CORPUS = "corpus"
_NAMED = 0.2  # of the tasks are about a known thing


@dataclass(frozen=True)
class Tasks:
    """Draws tasks about the images of a corpus: what each shows, where, and its name.

    The known things, which alone have names, come last.
    """

    looks: Sequence[Appearance]
    boxes: Sequence[Box]
    names: Sequence[str]

    def draw(self, rng: np.random.Generator) -> Prompt:
        """The name of a known thing; else a caption, a box, or a question about one factor."""
        named = rng.random() < _NAMED
        row = self._row(rng, named)
        image = ImageRef(CORPUS, "", row)
        if named:
            return ask(QUESTION, image, self.names[row])
        chance = rng.random()
        if chance < 0.2:
            return ask(CAPTION, image, self.looks[row].describe())
        if chance < 0.35:
            return ask(WHERE, image, write_box(self.boxes[row]))
        factor = str(rng.choice(list(ASK)))
        return ask(ASK[factor], image, getattr(self.looks[row], factor))

    def name_many(self, rng: np.random.Generator, shots: int) -> Prompt:
        """K + 1 known things, each under its usual name: an in-context prompt that no label is needed for."""
        rows = [self._row(rng, named=True) for _ in range(shots + 1)]
        *shown, query = ((ImageRef(CORPUS, "", row), self.names[row]) for row in rows)
        return dialogue(shown, query[0], (query[1],))

    @cached_property
    def _unnamed(self) -> int:
        """How many rows have no name; those that have one come last."""
        return list(map(bool, self.names)).index(True)

    def _row(self, rng: np.random.Generator, named: bool) -> int:
        return int(rng.integers(self._unnamed, len(self.names)) if named else rng.integers(self._unnamed))
