"""Finds out whether a server scores given text, and how."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import openai

from lcl_lab.models.interface import Loglik
from lcl_lab.models.openai_client import error_reason
from lcl_lab.models.server_reply import CannotScoreError, MalformedReplyError
from lcl_lab.models.sglang_scoring import SGLangScorer
from lcl_lab.models.vllm_scoring import VllmScorer
from lcl_lab.prompts import Prompt

__all__ = ["Scorer", "find_scorer"]


class Scorer(Protocol):
    """Scores the candidates of a prompt on a server."""

    def check(self) -> None:
        """Score a short conversation with an image.

        Raises:
            openai.OpenAIError, MalformedReplyError: see below.
            CannotScoreError: the log-likelihoods would not be those of the conversation that the model continues.
        """

    def __call__(self, prompt: Prompt, messages: Sequence[Mapping[str, Any]]) -> tuple[Loglik, ...]:
        """The log-likelihood of each candidate as the next turn of a conversation.

        Args:
            prompt: the prompt.
            messages: its turns as messages of OpenAI's protocol.

        Returns:
            One per candidate.

        Raises:
            openai.OpenAIError: a request failed.
            MalformedReplyError: a reply does not have one log-probability for each token of a candidate, or the tokens
                of the prompt change when a candidate follows.
        """


def find_scorer(client: openai.OpenAI, model: str) -> Scorer:
    """The way in which a server scores given text, found by trying each once.

    Args:
        client: a client for the server.
        model: the model's name on the server.

    Raises:
        CannotScoreError: there is none.
    """
    for kind in (VllmScorer, SGLangScorer):
        try:
            scorer: Scorer = kind(client, model)
        except (openai.OpenAIError, MalformedReplyError):  # a server of another kind
            continue
        try:
            scorer.check()
        except openai.OpenAIError as error:
            raise CannotScoreError(error_reason(error, str(client.base_url))) from error
        except MalformedReplyError as error:
            raise CannotScoreError(str(error)) from error
        return scorer
    raise CannotScoreError("it scores no given text")
