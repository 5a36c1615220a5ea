"""What a model is to the rest of the lab: something with a name that answers prompts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from PIL.Image import Image

from lcl_lab.concepts import ImageRef
from lcl_lab.prompts import Prompt

__all__ = ["NEW_TOKENS", "Answer", "Loglik", "Model"]

NEW_TOKENS = 16  # of a name; longer greedy answers are cut


@dataclass(frozen=True)
class Loglik:
    """How likely a model finds one candidate answer: the sum over its tokens in nats, and their number.

    The tokens are those that the chat template writes for the answer, its end of turn included, so that a
    name is not taken for the beginning of a longer one.
    """

    total: float
    tokens: int

    @property
    def per_token(self) -> float:
        return self.total / self.tokens


@dataclass(frozen=True)
class Answer:
    """What a model says to one prompt: its greedy text, and the likelihood of each candidate in order.

    `logliks` is empty where a model does not tell: servers give no likelihood of a text that they did not say.
    """

    text: str
    logliks: tuple[Loglik, ...]
    seconds: float


class Model(Protocol):
    """Anything that answers; a new kind of model is one file that makes one of these."""

    @property
    def name(self) -> str: ...

    @property
    def fingerprint(self) -> str:
        """Changes whenever the weights or the way of answering change."""

    @property
    def device(self) -> str: ...

    def answer(self, prompts: Sequence[Prompt], image: Callable[[ImageRef], Image]) -> Iterator[Answer]:
        """One answer a prompt, in order, as they come."""
