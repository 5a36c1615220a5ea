"""Arguments in the address of a server reach the server."""

from __future__ import annotations

import json

from lcl_lab.models.openai_client import check_server
from tests.servers import RefusedError, serving

REPLY = {"model": "it", "choices": [{"index": 0, "message": {"role": "assistant", "content": "one two"}}]}


def test_arguments_of_the_address_are_sent_with_every_request() -> None:
    def refuse(request: object) -> bytes:
        raise RefusedError(404)

    with serving(refuse, {"/v1/chat/completions?key=a+b&v=2": lambda request: json.dumps(REPLY).encode()}) as address:
        assert check_server("it", f"{address}?key=a+b&v=2").behaviour
