"""An episode as a conversation: each shot a question and its answer, the query a question left open.

The question comes before the image, as in the paper's wire format, so that an image and the name
that it explains stand next to each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from lcl_lab.concepts import ImageRef
from lcl_lab.episodes import Episode

__all__ = ["QUESTION", "Prompt", "Turn", "chat"]

QUESTION = "What is in the image?"


@dataclass(frozen=True)
class Turn:
    """What one side says: texts and images in order."""

    role: Literal["user", "assistant"]
    parts: tuple[str | ImageRef, ...]


@dataclass(frozen=True)
class Prompt:
    """Turns that end with the user's, and the candidate answers, the true name first."""

    turns: tuple[Turn, ...]
    candidates: tuple[str, ...]

    @property
    def images(self) -> tuple[ImageRef, ...]:
        return tuple(part for turn in self.turns for part in turn.parts if isinstance(part, ImageRef))


def chat(episode: Episode) -> Prompt:
    """The episode as a chat of K + 1 questions (K = 0 is the zero-shot form)."""
    turns = []
    for example in episode.support:
        turns += [Turn("user", (QUESTION, example.image)), Turn("assistant", (example.label,))]
    turns.append(Turn("user", (QUESTION, episode.query)))
    return Prompt(tuple(turns), (episode.true_name, episode.other_name))
