"""Candidate log-likelihoods from servers that return the log-probabilities of a prompt's tokens, as vLLM does.

A candidate is sent as the last turn of the conversation, rendered by the server's own chat template. Its log-likelihood
is the sum over the tokens that it adds to the prompt.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import lazy_loader as lazy

from lcl_lab.models.interface import Loglik

if TYPE_CHECKING:
    import openai
else:
    openai = lazy.load("openai")

__all__ = ["scores_candidates", "server_logliks"]

_Token = tuple[int, float, str]
"""Id, log-probability and text of a token of a prompt."""


def scores_candidates(client: openai.OpenAI, model: str) -> bool:
    """Whether a server returns the log-probabilities of a prompt's tokens; asks it once.

    Args:
        client: a client for the server.
        model: the model's name on the server.
    """
    turns = [{"role": "user", "content": "?"}, {"role": "assistant", "content": "!"}]
    try:
        return len(_tokens(client, model, turns, answered=True)) > 1
    except (openai.OpenAIError, LookupError, TypeError, ValueError, AttributeError):
        return False


def server_logliks(
    client: openai.OpenAI, model: str, messages: Sequence[Mapping[str, Any]], candidates: Sequence[str]
) -> tuple[Loglik, ...]:
    """The log-likelihood of each candidate as the next turn of a conversation.

    Args:
        client: a client for a server that `scores_candidates`.
        model: the model's name on the server.
        messages: the conversation, which ends with the user's turn.
        candidates: the candidates.

    Returns:
        One per candidate; none if the chat template writes something else in front of an answer than the model
        continues, such as a block for its thinking.

    Raises:
        openai.OpenAIError: a request failed.
    """
    prompt = [token for token, _, _ in _tokens(client, model, messages, answered=False)]
    logliks = []
    for candidate in candidates:
        tokens = _tokens(client, model, [*messages, {"role": "assistant", "content": candidate}], answered=True)
        if [token for token, _, _ in tokens[: len(prompt)]] != prompt:
            return ()
        answer = tokens[len(prompt) :]
        while answer and not answer[-1][2].strip():  # a line break after the end of the turn
            answer.pop()
        logliks.append(Loglik(sum(logprob for _, logprob, _ in answer), len(answer)))
    return tuple(logliks)


def _tokens(client: openai.OpenAI, model: str, messages: Sequence[Mapping[str, Any]], answered: bool) -> list[_Token]:
    """The tokens of a conversation; the first one has no log-probability."""
    reply = client.chat.completions.create(
        model=model,
        messages=list(messages),  # type: ignore[arg-type]
        max_tokens=1,
        temperature=0,
        extra_body={"prompt_logprobs": 0, "return_token_ids": True, "add_generation_prompt": not answered},
    ).model_dump()
    ids, logprobs = reply["prompt_token_ids"], reply["prompt_logprobs"]
    tokens: list[_Token] = []
    for token, options in zip(ids, logprobs, strict=True):
        chosen = (options or {}).get(str(token)) or {"logprob": 0.0, "decoded_token": None}
        tokens.append((int(token), float(chosen["logprob"]), str(chosen.get("decoded_token") or "")))
    return tokens
