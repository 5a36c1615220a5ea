"""Replies of servers: what became of a request, the text of its answer, and the log-likelihoods of candidates."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from lcl_lab.errors import shorten
from lcl_lab.models.interface import Loglik, Status

__all__ = ["CannotScoreError", "MalformedReplyError", "Reply", "as_loglik", "parse_reply", "reading_reply"]

_THINKING = ("<think>", "</think>")
_LEAST = -1e100  # nats; sums of smaller numbers would not be finite
_ROUNDING = 1e-3  # nats by which the log-probability of a certain token may exceed 0


class MalformedReplyError(Exception):
    """A reply that does not have the form of its protocol."""


class CannotScoreError(Exception):
    """A server does not score given text; the message says why."""


@contextmanager
def reading_reply() -> Iterator[None]:
    """Reports what goes wrong while the content of a reply is read as a `MalformedReplyError`."""
    try:
        yield
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise MalformedReplyError(f"{type(error).__name__}: {error}") from error


@dataclass(frozen=True)
class Reply:
    """What a server answered.

    Attributes:
        status: what became of the request.
        text: the answer.
        thinking: what the model wrote before it.
    """

    status: Status
    text: str = ""
    thinking: str = ""


def parse_reply(body: bytes) -> Reply:
    """Read the body of a chat completion.

    Args:
        body: the body of a response with status code 200.

    Raises:
        MalformedReplyError: it is not a chat completion.
    """
    with reading_reply():
        content = json.loads(body)
        choice = content["choices"][0]
        message = choice["message"]
        text, reasoning = _text(message.get("content")), message.get("reasoning_content") or message.get("reasoning")
        refusal, reason = message.get("refusal"), choice.get("finish_reason")
    thinking, text, closed = _split(text)
    thinking = _clean(reasoning) if isinstance(reasoning, str) else thinking
    if refusal or reason == "content_filter":
        return Reply("refused", _clean(refusal) if isinstance(refusal, str) else text, thinking)
    if reason == "length" or not closed:
        return Reply("truncated", text, thinking)
    return Reply("ok" if text else "empty", text, thinking)


def as_loglik(logprobs: Sequence[Any], texts: Sequence[str]) -> Loglik:
    """The log-likelihood of a candidate from the log-probabilities of its tokens.

    Args:
        logprobs: what a server sent, in nats.
        texts: the texts of the tokens.

    Raises:
        MalformedReplyError: there is none, or one is not a finite number of at most 0.
    """
    for value in logprobs:
        if isinstance(value, bool) or not isinstance(value, int | float) or not _LEAST <= value <= _ROUNDING:
            raise MalformedReplyError(f"{shorten(repr(value))} is not a log-probability")
    if not logprobs:
        raise MalformedReplyError("a candidate has no log-probabilities")
    return Loglik(float(sum(logprobs)), len(logprobs), tuple(map(float, logprobs)), tuple(map(_storable, texts)))


def _text(content: Any) -> str:
    """The text of a message; some servers send it in parts."""
    if content is None:
        return ""
    if isinstance(content, str):
        return _clean(content)
    if not isinstance(content, list):
        raise TypeError(f"the content is {type(content).__name__}")
    parts = [part for part in content if isinstance(part, dict) and isinstance(part.get("text"), str)]
    return _clean("".join(part["text"] for part in parts))


def _clean(text: str) -> str:
    """Text that can be stored: without NUL, and with a replacement for halves of surrogate pairs."""
    return _storable(text).strip()


def _storable(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8").replace("\0", "")


def _split(text: str) -> tuple[str, str, bool]:
    """The thinking and the answer, and whether the thinking has ended."""
    opening, closing = _THINKING
    if closing in text:
        thinking, _, answer = text.rpartition(closing)
        return thinking.removeprefix(opening).strip(), answer.strip(), True
    if text.startswith(opening):
        return text.removeprefix(opening).strip(), "", False
    return "", text, True
