"""Candidate log-likelihoods from servers that return the log-probabilities of a chat's prompt, as vLLM does.

A candidate is sent as the last turn of the conversation, rendered by the server's own chat template. Its log-likelihood
is the sum over the tokens that it adds to the prompt.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lcl_lab.models.engine.chat_template import THINKING_SWITCHES
from lcl_lab.models.interface import Loglik
from lcl_lab.models.server_messages import probe
from lcl_lab.models.server_reply import MalformedReplyError, as_loglik, reading_reply
from lcl_lab.prompts import Prompt

if TYPE_CHECKING:
    import openai

__all__ = ["VllmScorer"]

_RETRIES_OF_PROBE = 2
_UNKNOWN = "\ufffd"  # stands for a part of a character
_Token = tuple[int, Any, str]
"""Id, log-probability and text of a token of a prompt."""


class VllmScorer:
    """Scores candidates by the `prompt_logprobs` of chat completions.

    Args:
        client: a client for the server.
        model: the model's name on the server.

    Raises:
        openai.OpenAIError: the server refuses the request.
        MalformedReplyError: it does not return log-probabilities.
    """

    def __init__(self, client: openai.OpenAI, model: str) -> None:
        self._client, self._model = client.with_options(max_retries=_RETRIES_OF_PROBE), model
        self._tokens([_turn("user", "?"), _turn("assistant", "!")], answered=True)
        self._client = client

    def check(self) -> None:
        """Score a short conversation; see `Scorer`."""
        self(*probe())

    def __call__(self, prompt: Prompt, messages: Sequence[Mapping[str, Any]]) -> tuple[Loglik, ...]:
        """The log-likelihood of each candidate; see `Scorer`."""
        before = [token for token, _, _ in self._tokens(messages, answered=False)]
        return tuple(self._loglik(messages, before, candidate) for candidate in prompt.candidates)

    def _loglik(self, messages: Sequence[Mapping[str, Any]], before: Sequence[int], candidate: str) -> Loglik:
        tokens = self._tokens([*messages, _turn("assistant", candidate)], answered=True)
        if [token for token, _, _ in tokens[: len(before)]] != before:
            raise MalformedReplyError("the tokens of a prompt change when an answer follows")
        answer = tokens[len(before) :]
        while answer and not answer[-1][2].strip():  # a line break after the end of the turn
            answer.pop()
        text = "".join(text for _, _, text in answer)
        if _UNKNOWN not in text and not _joined(text).startswith(_joined(candidate)):
            raise MalformedReplyError(f"the log-probabilities are those of {text[:80]!r} instead of {candidate!r}")
        return as_loglik([logprob for _, logprob, _ in answer], [text for _, _, text in answer])

    def _tokens(self, messages: Sequence[Mapping[str, Any]], answered: bool) -> list[_Token]:
        """The tokens of a conversation; the first one has no log-probability."""
        with reading_reply():
            reply = self._client.chat.completions.create(
                model=self._model,
                messages=list(messages),  # type: ignore[arg-type]
                max_tokens=1,
                temperature=0,
                extra_body={
                    "prompt_logprobs": 0,
                    "return_token_ids": True,
                    "add_generation_prompt": not answered,
                    "chat_template_kwargs": dict.fromkeys(THINKING_SWITCHES, False),
                },
            ).model_dump()
            (first, *ids), (_, *options) = reply["prompt_token_ids"], reply["prompt_logprobs"]
            chosen = [option[str(token)] for token, option in zip(ids, options, strict=True)]
            following = [
                (int(token), one["logprob"], str(one["decoded_token"])) for token, one in zip(ids, chosen, strict=True)
            ]
            return [(int(first), None, ""), *following]


def _joined(text: str) -> str:
    """Text without spaces, which the texts of single tokens may lack."""
    return "".join(text.split())


def _turn(role: str, content: str) -> dict[str, str]:
    return {"role": role, "content": content}
