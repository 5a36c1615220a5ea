"""The client for servers that implement OpenAI's chat completions, and its error messages."""

from __future__ import annotations

import json
from dataclasses import dataclass
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qsl, urlsplit, urlunsplit

import openai

from lcl_lab.errors import UserError, nearest
from lcl_lab.models.credentials import api_key, redact

__all__ = ["ServedModel", "check_server", "error_reason", "open_client"]

_TIMEOUT = 600.0  # seconds for one answer
_RETRIES_OF_CHECK = 2
_PROBE = "Count from one to twenty in words."  # long enough that other weights show in the answer
_PROBE_TOKENS = 16


@dataclass(frozen=True)
class ServedModel:
    """What a server shows of one of its models, each as 16 hex digits.

    Attributes:
        description: over what the server says of it. It is the same in every request.
        behaviour: over its answer to a fixed prompt and the `system_fingerprint` of that. It also changes when other
            weights are served under the same description, but may vary where a server is not deterministic.
    """

    description: str
    behaviour: str


def open_client(base_url: str, retries: int) -> openai.OpenAI:
    """A client that repeats failed requests `retries` times, with doubling pauses from half a second."""
    parts = urlsplit(base_url)
    return openai.OpenAI(
        base_url=urlunsplit(parts._replace(query="")),  # the client would append the paths of requests to a query
        default_query=dict(parse_qsl(parts.query, keep_blank_values=True)),
        api_key=api_key() or "none",
        max_retries=retries,
        timeout=_TIMEOUT,
    )


def check_server(name: str, base_url: str, option: str = "model") -> ServedModel:
    """Check that a server is reachable and serves a model, by requesting a short answer.

    Args:
        name: the model's name on the server.
        base_url: address of the API, such as ``http://127.0.0.1:8000/v1``.
        option: the option that the model was given for, for error messages.

    Raises:
        UserError: the server cannot be reached, or refuses the request.
    """
    client = open_client(base_url, _RETRIES_OF_CHECK)
    shown = redact(base_url)
    try:
        reply = client.chat.completions.create(
            model=name, messages=[{"role": "user", "content": _PROBE}], max_tokens=_PROBE_TOKENS, temperature=0
        )
    except openai.APIConnectionError as error:
        reason = f"cannot reach the server: {error_reason(error, base_url)}"
        raise UserError(reason, option="base_url", value=shown) from error
    except openai.OpenAIError as error:
        reason = f"{shown}: {error_reason(error, base_url)}{_nearest_model(client, name)}"
        raise UserError(reason, option=option, value=f"openai:{name}") from error
    except ValueError as error:
        raise UserError(f"{shown} does not answer with JSON", option="base_url", value=shown) from error
    described = {"reported": getattr(reply, "model", None), **_described(client, name)}
    answered = [getattr(choice, "message", None) for choice in getattr(reply, "choices", None) or ()]
    behaviour = {"system_fingerprint": getattr(reply, "system_fingerprint", None), "answered": answered}
    return ServedModel(_digest(described), _digest(behaviour))


def error_reason(error: Exception, base_url: str = "") -> str:
    """The cause of a failed request in one line, without credentials."""
    cause = error.__cause__ or error
    return redact(" ".join(str(cause).split()) or type(cause).__name__, base_url)


def _digest(content: object) -> str:
    return sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()[:16]


def _described(client: openai.OpenAI, name: str) -> dict[str, Any]:
    """What the list of models says of one, without what changes between two requests."""
    try:
        model = next((model for model in client.with_options(max_retries=0).models.list() if model.id == name), None)
    except (openai.OpenAIError, ValueError, TypeError, AttributeError):
        return {}
    content = model.model_dump() if model is not None else {}
    return {key: content[key] for key in ("id", "root", "parent", "max_model_len", "owned_by") if key in content}


def _nearest_model(client: openai.OpenAI, name: str) -> str:
    try:
        known = [model.id for model in client.with_options(max_retries=0).models.list()]
    except (openai.OpenAIError, ValueError, TypeError, AttributeError):
        return ""
    return f"; {nearest(name, known)}" if known and name not in known else ""
