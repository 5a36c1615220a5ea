"""The interface that every model implements, and the answers it returns."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from PIL.Image import Image

from lcl_lab.concepts import ImageRef
from lcl_lab.prompts import Prompt

__all__ = ["NEW_TOKENS", "Answer", "Images", "Loglik", "Model", "ModelSettings", "Status"]

NEW_TOKENS = 16
"""Maximum number of tokens of a greedy answer by default, if no candidate is longer."""

Images = Literal["all", "query-only"]
"""Images of a prompt whose features a converted checkpoint of Shikra or link-context learning receives."""

Status = Literal["ok", "empty", "truncated", "refused", "error"]
"""What became of a request for an answer. All but "ok" are left out of the number of answers.

"truncated": the maximum number of tokens was reached before an answer was known, for example while the model was still
thinking. Servers also return "empty" answers, "refused" ones that a filter withheld, and replies that are an "error".
"""


@dataclass(frozen=True)
class ModelSettings:
    """How a model is loaded and how it generates answers; part of the identity of everything that it answers.

    Attributes:
        max_new_tokens: maximum number of tokens of a greedy answer, including the model's thinking; None for
            `NEW_TOKENS`, or as many as the longest candidate has.
        thinking: let a model that can think do so before it answers.
        processor: settings of the processor that replace those of the checkpoint, such as ``{"max_pixels": 200704}``.
        revision: branch, tag or commit of a model on the hub.
        trust_remote_code: run the Python code that a checkpoint contains.
        extra_body: further fields of each request to a server.
        images: "all" inserts all images of a prompt, "query-only" the last one, as the published code of link-context
            learning does; only for its converted checkpoints and those of Shikra.
    """

    max_new_tokens: int | None = None
    thinking: bool = False
    processor: Mapping[str, object] = field(default_factory=dict)
    revision: str | None = None
    trust_remote_code: bool = False
    extra_body: Mapping[str, object] = field(default_factory=dict)
    images: Images = "all"

    def identity(self) -> dict[str, object]:
        """What answers depend on; the revision is part of a checkpoint's fingerprint."""
        optional = {"thinking": self.thinking, "processor": self.processor, "extra_body": self.extra_body}
        changed = {name: value for name, value in optional.items() if value}
        changed |= {"images": self.images} if self.images != "all" else {}
        return {"temperature": 0, "max_new_tokens": self.max_new_tokens, **changed}


@dataclass(frozen=True)
class Loglik:
    """The log-likelihood of one candidate answer after a prompt.

    The tokens are those that the chat template writes for the answer, including its end of turn, so that a name is
    not confused with the beginning of a longer one.

    Attributes:
        total: sum over the tokens, in nats.
        tokens: number of tokens.
        token_logliks: log-likelihood of each token, in nats; empty where they are not known.
        token_texts: text of each token; empty where they are not known.

    Raises:
        ValueError: there are more or fewer log-likelihoods or texts than tokens.
    """

    total: float
    tokens: int
    token_logliks: tuple[float, ...] = ()
    token_texts: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name, values in (("log-likelihoods", self.token_logliks), ("texts", self.token_texts)):
            if len(values) not in (0, self.tokens):
                raise ValueError(f"{len(values)} {name} of {self.tokens} tokens; give one for each, or none")

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
        status: what became of the request; the answer counts only if this is "ok".
        cut_off: whether the text was cut off at the maximum number of tokens.
        thinking: what the model wrote before its answer.
        measurement: an additional number for this prompt, such as a head's attention score; None if there is none.
        prompt_tokens: number of tokens of the prompt, with those of its images; None where it is not known.
        nearest: which image of the support is most similar to the query, counted from 1; None where the model does not
            compare images, or where several are equally similar.
    """

    text: str
    logliks: tuple[Loglik, ...]
    seconds: float
    status: Status = "ok"
    cut_off: bool = False
    thinking: str = ""
    measurement: float | None = None
    prompt_tokens: int | None = None
    nearest: int | None = None


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
