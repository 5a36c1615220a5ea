"""The interface that every model implements, and the answers it returns."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from PIL.Image import Image

from lcl_lab.concepts import ImageRef
from lcl_lab.prompts import Prompt

__all__ = ["GENERATION", "NEW_TOKENS", "Answer", "Loglik", "Model"]

NEW_TOKENS = 16
"""Maximum number of tokens of a greedy answer; longer answers are cut."""

GENERATION: Mapping[str, float] = {"temperature": 0, "max_new_tokens": NEW_TOKENS}
"""How the text of an answer is decoded, for transformers models and servers alike."""


@dataclass(frozen=True)
class Loglik:
    """The log-likelihood of one candidate answer after a prompt.

    The tokens are those that the chat template writes for the answer, including its end of turn, so that a name is
    not confused with the beginning of a longer one.

    Attributes:
        total: sum over the tokens, in nats.
        tokens: number of tokens.
    """

    total: float
    tokens: int

    @property
    def per_token(self) -> float:
        """Mean log-likelihood per token, in nats."""
        return self.total / self.tokens


@dataclass(frozen=True)
class Answer:
    """The answer of a model to one prompt.

    Attributes:
        text: the greedy answer.
        logliks: log-likelihood of each candidate, in the order of the prompt's candidates; empty for models that
            cannot score given text, such as servers.
        seconds: time spent on this answer.
    """

    text: str
    logliks: tuple[Loglik, ...]
    seconds: float


class Model(Protocol):
    """Anything that answers prompts. Implement these four members to evaluate your own model."""

    @property
    def name(self) -> str:
        """Identifies the model in records and figures."""

    @property
    def fingerprint(self) -> str:
        """Changes whenever answers may change: with the weights, the code, or the generation settings."""

    @property
    def device(self) -> str:
        """Where answers are computed, such as ``cpu``, ``cuda:0`` or ``server``."""

    def answer(self, prompts: Sequence[Prompt], image: Callable[[ImageRef], Image]) -> Iterator[Answer]:
        """Answer prompts.

        Args:
            prompts: conversations that end with the user's turn.
            image: returns an image of the prompts in RGB.

        Yields:
            One answer per prompt, in order.
        """
