"""The base model's original tasks, made from the renderer's own truth: captions, questions, known names.

Each is a single question about a single image. The base model never sees two images at once.
"""

from __future__ import annotations

import numpy as np

from lcl_lab.concepts import ImageRef, Look
from lcl_lab.prompts import QUESTION, Prompt, Turn

__all__ = ["ASK", "CAPTION", "ask", "draw_task"]

CAPTION = "Describe the image."
ASK = {
    "silhouette": "What shape is it?",
    "pattern": "What pattern does it have?",
    "colour": "What colour is it?",
    "second": "What is its second colour?",
    "part": "Which parts does it have?",
    "count": "How many parts does it have?",
    "placement": "Where are its parts?",
}


def draw_task(rng: np.random.Generator, image: ImageRef, look: Look, name: str) -> Prompt:
    """A task about the image: for a thing with a name its name, else a caption or a question about a factor."""
    if name:
        return ask(QUESTION, image, name)
    if rng.random() < 0.25:
        return ask(CAPTION, image, look.describe())
    factor = str(rng.choice(list(ASK)))
    return ask(ASK[factor], image, getattr(look, factor))


def ask(question: str, image: ImageRef, answer: str) -> Prompt:
    """One question about one image, with its answer as the only candidate."""
    return Prompt((Turn("user", (question, image)),), (answer,))
