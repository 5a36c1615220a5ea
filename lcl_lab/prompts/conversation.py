"""An episode as a conversation: every shot is a question with its answer, and the query is a question without one.

The question precedes the image, as in the paper's prompt format, so that an image and the name that it explains are
next to each other.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from lcl_lab.concepts import ImageRef
from lcl_lab.episodes import Episode

__all__ = ["QUESTION", "Prompt", "Turn", "chat", "chat_prompt"]

QUESTION = "What is in the image?"


@dataclass(frozen=True)
class Turn:
    """One turn of a conversation.

    Attributes:
        role: who speaks; "system" is an instruction in front of the first turn of the user.
        parts: texts and images in order.
    """

    role: Literal["system", "user", "assistant"]
    parts: tuple[str | ImageRef, ...]


@dataclass(frozen=True)
class Prompt:
    """A conversation for a model to continue.

    Attributes:
        turns: the turns; the last one is the user's.
        candidates: answers whose log-likelihoods are measured, the true name first.
    """

    turns: tuple[Turn, ...]
    candidates: tuple[str, ...]

    @property
    def images(self) -> tuple[ImageRef, ...]:
        """All images in order."""
        return tuple(part for turn in self.turns for part in turn.parts if isinstance(part, ImageRef))

    @property
    def text(self) -> str:
        """All text in order."""
        return "".join(part for turn in self.turns for part in turn.parts if isinstance(part, str))


def chat(episode: Episode) -> Prompt:
    """Write an episode with K shots as a conversation of K + 1 questions; with K = 0 it is the zero-shot prompt."""
    shots = ((example.image, example.label) for example in episode.support)
    return chat_prompt(shots, episode.query, episode.names, episode.final_question or QUESTION)


def chat_prompt(
    shots: Iterable[tuple[ImageRef, str]], query: ImageRef, candidates: tuple[str, ...], final_question: str = QUESTION
) -> Prompt:
    """Write labelled images and a query as a conversation; studies and training use the same one.

    Args:
        shots: K support images with their labels.
        query: the image to name.
        candidates: answers whose log-likelihoods are measured, the true name first.
        final_question: the question about the query.

    Returns:
        A conversation of K + 1 questions.
    """
    turns: list[Turn] = []
    for image, label in shots:
        turns += [Turn("user", (QUESTION, image)), Turn("assistant", (label,))]
    return Prompt((*turns, Turn("user", (final_question, query))), candidates)
