"""Servers on this machine, for tests that start one."""

from __future__ import annotations

import json
import socket
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

_Reply = Callable[[dict[str, Any]], Any]


class RefusedError(Exception):
    """A server's reply with a status code other than 200."""

    def __init__(self, code: int) -> None:
        super().__init__(f"status code {code}")
        self.code = code


def free_port() -> int:
    """A port that nothing uses now."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextmanager
def serving(reply: _Reply, others: Mapping[str, _Reply] | None = None) -> Iterator[str]:
    """The address of a server that answers JSON requests with what a function returns for them.

    Args:
        reply: for requests to any path that is not in `others`; returns a body, or what is to be written as JSON.
        others: functions for other paths.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path not in (others or {}):
                self.send_error(404)
            else:
                self.answer({})

        def do_POST(self) -> None:
            self.answer(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

        def answer(self, request: dict[str, Any]) -> None:
            try:
                content = (others or {}).get(self.path, reply)(request)
            except RefusedError as refused:
                self.send_error(refused.code)
                return
            body = content if isinstance(content, bytes) else json.dumps(content).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/v1"
    server.shutdown()


def answers(address: str) -> bool:
    """Whether a server answers a request to an address."""
    try:
        return bool(urllib.request.urlopen(address, timeout=1).status == 200)
    except OSError:
        return False
