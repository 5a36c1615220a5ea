"""Credentials of servers: the API key, and addresses and messages without any of them."""

from __future__ import annotations

import os
import re
from base64 import b64encode
from urllib.parse import SplitResult, unquote, unquote_plus, urlsplit, urlunsplit

__all__ = ["api_key", "redact"]

_HIDDEN = "***"
_SHORT = 6  # characters


def api_key() -> str | None:
    """The key for servers that implement OpenAI's interface."""
    return os.environ.get("OPENAI_API_KEY")


def redact(text: str, base_url: str = "") -> str:
    """Text without the API key, and without the credentials of addresses in it.

    Args:
        text: an address or a message.
        base_url: an address whose credentials a server may have repeated.
    """
    parts = urlsplit(base_url)
    secrets = [api_key(), _basic(parts), parts.password or parts.username]
    secrets += [value for _, _, value in map(_partition, parts.query.split("&"))]
    for secret in filter(None, secrets):
        for form in (secret, unquote(secret), unquote_plus(secret)):
            text = _hide(form, text)
    address = urlsplit(text) if "://" in text and " " not in text else None
    if address is None or not (address.username or address.password or address.query):
        return text
    user, _, host = address.netloc.rpartition("@")
    shown = f"{_HIDDEN}@{host}" if user else host
    query = "&".join(f"{name}={_HIDDEN}" for name, _, _ in map(_partition, address.query.split("&")) if name)
    return urlunsplit((address.scheme, shown, address.path, query, ""))


def _hide(secret: str, text: str) -> str:
    """Text without a secret; a short one, such as the 2 of `?v=2`, is also a part of other words, which stay."""
    pattern = re.escape(secret)
    return re.sub(rf"(?<!\w){pattern}(?!\w)" if len(secret) < _SHORT else pattern, _HIDDEN, text)


def _basic(parts: SplitResult) -> str:
    """User and password as the header of a request has them, which a server may repeat."""
    user = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
    return "" if user == ":" else b64encode(user.encode()).decode()


def _partition(argument: str) -> tuple[str, str, str]:
    return argument.partition("=")
