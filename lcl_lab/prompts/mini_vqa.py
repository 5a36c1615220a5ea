"""Mini-VQA: questions about single images of the embedded world, whose answers the renderer knows.

These are the base model's original tasks, which link training may harm (paper, Table 3). Boxes are written as in
Shikra, in tenths of the image's side.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from lcl_lab.concepts import Appearance, Box, ImageRef
from lcl_lab.prompts.conversation import Prompt, Turn

__all__ = [
    "ASK",
    "CAPTION",
    "KINDS",
    "WHERE",
    "MiniQuestion",
    "draw_question",
    "read_box",
    "single_question",
    "write_box",
]

CAPTION = "Describe the image."
WHERE = "Where is it?"
ASK = {
    "silhouette": "What shape is it?",
    "pattern": "What pattern does it have?",
    "colour": "What colour is it?",
    "second": "What is its second colour?",
    "part": "Which parts does it have?",
    "count": "How many parts does it have?",
    "placement": "Where are its parts?",
}
"""The question about each factor."""
KINDS = (*ASK, "box")
"""Kinds of questions; consecutive questions go through them in turn."""
_MIN_OVERLAP = 0.5  # intersection over union from which a box is correct, as in referring expression comprehension


class RenderedDataset(Protocol):
    """A dataset that knows what its images show, such as `lcl_lab.concepts.World`."""

    @property
    def name(self) -> str:
        """The name of the dataset."""

    def appearance(self, concept: str) -> Appearance:
        """The appearance of a concept."""

    def box(self, ref: ImageRef) -> Box:
        """The bounding box of the object in an image."""


@dataclass(frozen=True)
class MiniQuestion:
    """A question of mini-VQA.

    Attributes:
        kind: one of `KINDS`.
        prompt: the question, with the correct answer as its only candidate.
        box: the bounding box of the object, for questions of kind ``box``.
    """

    kind: str
    prompt: Prompt
    box: Box | None = None

    def is_correct(self, answer: str) -> bool:
        """Whether an answer has the same words as the correct one, or names a box with IoU ≥ 0.5."""
        if self.box is None:
            return " ".join(answer.lower().split()) == self.prompt.candidates[0]
        box = read_box(answer)
        return box is not None and _overlap(box, self.box) >= _MIN_OVERLAP


def draw_question(world: RenderedDataset, concepts: Sequence[str], images: int, seed: int, number: int) -> MiniQuestion:
    """Draw a question about a random image.

    Args:
        world: the dataset.
        concepts: ids of the concepts to draw from.
        images: draw from the first so many images of a concept.
        seed: the study seed.
        number: the number of the question, which also determines its kind.
    """
    rng = np.random.default_rng([seed, number])
    kind = KINDS[number % len(KINDS)]
    image = ImageRef(world.name, str(rng.choice(concepts)), int(rng.integers(images)))
    if kind == "box":
        box = world.box(image)
        return MiniQuestion(kind, single_question(WHERE, image, write_box(box)), box)
    return MiniQuestion(kind, single_question(ASK[kind], image, getattr(world.appearance(image.concept), kind)))


def single_question(question: str, image: ImageRef, answer: str) -> Prompt:
    """A conversation of one question about one image, with the correct answer as its only candidate."""
    return Prompt((Turn("user", (question, image)),), (answer,))


def write_box(box: Box) -> str:
    """A box as text: `[x0,y0,x1,y1]` in tenths of the image's side, each from 0 to 9."""
    return "[" + ",".join(str(min(9, int(10 * edge))) for edge in box) + "]"


def read_box(text: str) -> Box | None:
    """The box in an answer, or None if the answer does not contain exactly four numbers."""
    digits = re.findall(r"\d+", text)
    if len(digits) != 4:
        return None
    left, top, right, bottom = (int(digit) / 10 for digit in digits)
    return left, top, right + 0.1, bottom + 0.1


def _overlap(a: Box, b: Box) -> float:
    """Intersection over union."""
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    shared = max(0.0, width) * max(0.0, height)
    return shared / (_area(a) + _area(b) - shared)


def _area(box: Box) -> float:
    return max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1])
