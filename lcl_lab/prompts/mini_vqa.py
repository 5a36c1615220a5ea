"""Single questions about a single image whose answer the renderer knows, and mini-VQA made of them.

They are the base model's original tasks, and what link training may harm (paper, Table 3). Boxes are
written as Shikra writes them, in tenths of the image's side.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from lcl_lab.concepts import Appearance, Box, ImageRef
from lcl_lab.prompts.chat import Prompt, Turn

__all__ = ["ASK", "CAPTION", "KINDS", "WHERE", "Question", "ask", "draw_question", "read_box", "write_box"]

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
KINDS = (*ASK, "box")
"""Of questions, in the order in which they come by turns."""
_HIT = 0.5  # overlap from which a box is right, as in referring expression comprehension


class Rendered(Protocol):
    """A concept set that knows what its images show."""

    @property
    def name(self) -> str: ...

    def look(self, concept: str) -> Appearance: ...

    def box(self, ref: ImageRef) -> Box: ...


def ask(question: str, image: ImageRef, answer: str) -> Prompt:
    """One question about one image, with its answer as the only candidate."""
    return Prompt((Turn("user", (question, image)),), (answer,))


def write_box(box: Box) -> str:
    """As `[x0,y0,x1,y1]` in tenths of the image's side, each from 0 to 9."""
    return "[" + ",".join(str(min(9, int(10 * edge))) for edge in box) + "]"


def read_box(text: str) -> Box | None:
    """The box that an answer names, or None."""
    digits = re.findall(r"\d+", text)
    if len(digits) != 4:
        return None
    left, top, right, bottom = (int(digit) / 10 for digit in digits)
    return left, top, right + 0.1, bottom + 0.1


@dataclass(frozen=True)
class Question:
    """One question of mini-VQA: its kind, the prompt with the right answer, and where the thing is."""

    kind: str
    prompt: Prompt
    box: Box | None = None

    def right(self, answer: str) -> bool:
        """Whether an answer is right: the same words, or a box that overlaps by half (IoU ≥ 0.5)."""
        if self.box is None:
            return " ".join(answer.lower().split()) == self.prompt.candidates[0]
        said = read_box(answer)
        return said is not None and _overlap(said, self.box) >= _HIT


def draw_question(world: Rendered, concepts: list[str], images: int, seed: int, number: int) -> Question:
    """A question about one of the first `images` images of a concept; its kind goes by turns with its number."""
    rng = np.random.default_rng([seed, number])
    kind = KINDS[number % len(KINDS)]
    image = ImageRef(world.name, str(rng.choice(concepts)), int(rng.integers(images)))
    if kind == "box":
        box = world.box(image)
        return Question(kind, ask(WHERE, image, write_box(box)), box)
    return Question(kind, ask(ASK[kind], image, getattr(world.look(image.concept), kind)))


def _overlap(a: Box, b: Box) -> float:
    """Intersection over union."""
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    shared = max(0.0, width) * max(0.0, height)
    return shared / (_area(a) + _area(b) - shared)


def _area(box: Box) -> float:
    return max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1])
