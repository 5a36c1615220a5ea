"""What is printed or stored has no credentials."""

from __future__ import annotations

from base64 import b64encode

import pytest

from lcl_lab.models.credentials import redact


@pytest.mark.parametrize(
    ("address", "repeated"),
    [
        ("http://user:pa%20ss@host/v1", "Authorization: Basic " + b64encode(b"user:pa ss").decode()),
        ("http://user:secret@host/v1", "you sent secret"),
        ("http://secret@host/v1", "you sent secret"),
        ("http://secret@host/v1", "Basic " + b64encode(b"secret:").decode()),
        ("http://host/v1?key=se+cret", "the key 'se cret' is wrong"),
    ],
)
def test_credentials_that_a_server_repeats_in_any_form_are_hidden(address: str, repeated: str) -> None:
    hidden = redact(repeated, address)
    assert "***" in hidden
    assert not any(
        form in hidden for form in ("secret", "se cret", b64encode(b"secret").decode()[:6], "dXNlcjpwYSBzcw")
    )
    assert "secret" not in redact(address) and "se+cret" not in redact(address)


def test_an_address_without_credentials_is_shown_as_it_is() -> None:
    assert redact("http://127.0.0.1:8000/v1") == "http://127.0.0.1:8000/v1"
    assert redact("bad request", "http://127.0.0.1:8000/v1") == "bad request"
    assert redact("HTTP 422: v=2 is unknown", "http://127.0.0.1:8000/v1?v=2") == "HTTP 422: v=*** is unknown"
