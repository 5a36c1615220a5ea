"""A local server with OpenAI's chat completions that always gives the same answer, or fails first."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

__all__ = ["answering", "change_text"]

_handlers: dict[str, type[_Server]] = {}


class _Server(BaseHTTPRequestHandler):
    text: str
    failures: int  # responses with an error before the first answer

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": self.text}}
        answer = {"id": "1", "object": "chat.completion", "created": 0, "model": "it", "choices": [choice]}
        body = json.dumps(answer).encode()
        self.send_response(503 if type(self).failures > 0 else 200)
        type(self).failures -= 1
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None: ...


@contextmanager
def answering(text: str, failures: int = 0) -> Iterator[str]:
    """The address of a server that answers every request with `text`, after some failures."""
    handler = type("Server", (_Server,), {"text": text, "failures": failures})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    _handlers[address] = handler
    yield address
    server.shutdown()


def change_text(address: str, text: str) -> None:
    """Let a server give another answer from now on."""
    _handlers[address].text = text
