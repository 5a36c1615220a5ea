"""The client for servers that implement OpenAI's chat completions, and its error messages."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import lazy_loader as lazy

from lcl_lab.errors import UserError, nearest

if TYPE_CHECKING:
    import openai
else:
    openai = lazy.load("openai")  # importing it takes most of a second

__all__ = ["check_server", "error_reason", "open_client"]

_TIMEOUT = 600.0  # seconds for one answer


def open_client(base_url: str, retries: int) -> openai.OpenAI:
    """A client that repeats failed requests `retries` times, with doubling pauses from half a second."""
    key = os.environ.get("OPENAI_API_KEY", "none")
    return openai.OpenAI(base_url=base_url, api_key=key, max_retries=retries, timeout=_TIMEOUT)


def check_server(name: str, base_url: str, option: str = "model") -> None:
    """Check that a server is reachable and serves a model, by requesting one token.

    Args:
        name: the model's name on the server.
        base_url: address of the API, such as ``http://127.0.0.1:8000/v1``.
        option: the option that the model was given for, for error messages.

    Raises:
        UserError: the server cannot be reached, or refuses the request.
    """
    client = open_client(base_url, retries=0)
    try:
        client.chat.completions.create(model=name, messages=[{"role": "user", "content": "?"}], max_tokens=1)
    except openai.APIConnectionError as error:
        raise UserError(f"cannot reach the server: {error_reason(error)}", option="base_url", value=base_url) from error
    except openai.OpenAIError as error:
        reason = f"{base_url}: {error_reason(error)}{_nearest_model(client, name)}"
        raise UserError(reason, option=option, value=f"openai:{name}") from error


def error_reason(error: Exception) -> str:
    """The cause of a failed request in one line."""
    cause = error.__cause__ or error
    return " ".join(str(cause).split()) or type(cause).__name__


def _nearest_model(client: openai.OpenAI, name: str) -> str:
    try:
        known = [model.id for model in client.models.list()]
    except openai.OpenAIError:
        return ""
    return f"; {nearest(name, known)}" if known and name not in known else ""
