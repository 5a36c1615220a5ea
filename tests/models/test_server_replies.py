"""Every kind of reply of a server is ok, asked for again, left out with its status, or one clear error."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from lcl_lab.concepts import load_dataset
from lcl_lab.episodes import draw_episode
from lcl_lab.errors import UserError
from lcl_lab.models import Answer, Checkpoint, find_checkpoint
from lcl_lab.models.server import ServerModel
from lcl_lab.prompts import chat

pytestmark = pytest.mark.attack

WORLD = load_dataset("world-100")
PROMPT = chat(draw_episode(WORLD, 0, 0, 0))
KEY = "sk-very-secret"


@dataclass(frozen=True)
class Raw:
    """A reply: its status code, body and headers."""

    code: int = 200
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    cut: bool = False  # close the connection in the middle of the body


def completion(content: Any = "a cactus", reason: Any = "stop", **message: Any) -> Raw:
    choice = {"index": 0, "finish_reason": reason, "message": {"role": "assistant", "content": content, **message}}
    return Raw(body=json.dumps({"object": "chat.completion", "model": "it", "choices": [choice]}).encode())


def body(content: Any) -> Raw:
    return Raw(body=json.dumps(content).encode())


OK = completion()
TEXT = {"type": "text", "text": "a wug "}
HALF = Raw(body=b'{"choices":[{"message":{"content":"a \\ud83d wug"}}]}')
NOW = (("Retry-After", formatdate(time.time(), usegmt=True)),)
JSON = ("Content-Type", "application/json")
# Name: the replies in order, of which the last is repeated; then the status of the answer, its text and its thinking.
REPLIES: dict[str, tuple[list[Raw], str, str, str]] = {
    "text": ([OK], "ok", "a cactus", ""),
    "text with spaces": ([completion("  a cactus.\n")], "ok", "a cactus.", ""),
    "content in parts": ([completion([TEXT, TEXT])], "ok", "a wug a wug", ""),
    "content in parts of other kinds": ([completion([{"type": "image"}, 5, None])], "empty", "", ""),
    "content null": ([completion(None)], "empty", "", ""),
    "content empty": ([completion("")], "empty", "", ""),
    "content blank": ([completion(" \n\t")], "empty", "", ""),
    "no content": ([body({"choices": [{"message": {"role": "assistant"}}]})], "empty", "", ""),
    "only tool calls": ([completion(None, "tool_calls", tool_calls=[{"id": "1"}])], "empty", "", ""),
    "cut off with text": ([completion("it is a ca", "length")], "truncated", "it is a ca", ""),
    "cut off without text": ([completion(None, "length")], "truncated", "", ""),
    "cut off while reasoning": ([completion(None, "length", reasoning_content="hm")], "truncated", "", "hm"),
    "reasoning only": ([completion(None, "stop", reasoning_content="hm")], "empty", "", "hm"),
    "reasoning and answer": ([completion("a wug", reasoning_content="spiny")], "ok", "a wug", "spiny"),
    "reasoning under its other name": ([completion("a wug", reasoning="spiny")], "ok", "a wug", "spiny"),
    "thinking in the text": ([completion("<think>spiny</think>\n\na wug")], "ok", "a wug", "spiny"),
    "thinking that does not end": ([completion("<think>spiny")], "truncated", "", "spiny"),
    "content filter": ([completion("", "content_filter")], "refused", "", ""),
    "refusal": ([completion(None, refusal="I cannot help")], "refused", "I cannot help", ""),
    "NUL": ([completion("a\0wug")], "ok", "awug", ""),
    "half of a surrogate pair": ([HALF], "ok", "a ? wug", ""),
    "a long answer": ([completion("a" * 100_000)], "ok", "a" * 100_000, ""),
    "gzip": ([Raw(body=gzip.compress(OK.body), headers=(("Content-Encoding", "gzip"),))], "ok", "a cactus", ""),
    "byte order mark": ([Raw(body=b"\xef\xbb\xbf" + OK.body)], "ok", "a cactus", ""),
    "UTF-16": ([Raw(body=OK.body.decode().encode("utf-16"))], "ok", "a cactus", ""),
    "finish_reason is a number": ([completion("a wug", 7)], "ok", "a wug", ""),
    "no finish_reason": ([body({"choices": [{"message": {"content": "a wug"}}]})], "ok", "a wug", ""),
    # Asked for again, and then ok.
    "429 with seconds": ([Raw(429, headers=(("Retry-After", "0.1"),)), OK], "ok", "a cactus", ""),
    "429 with a date": ([Raw(429, headers=NOW), OK], "ok", "a cactus", ""),
    "500": ([Raw(500), OK], "ok", "a cactus", ""),
    "502 with HTML": ([Raw(502, b"<html>bad gateway</html>"), OK], "ok", "a cactus", ""),
    "503": ([Raw(503), OK], "ok", "a cactus", ""),
    "408": ([Raw(408), OK], "ok", "a cactus", ""),
    "closed in mid-body": ([Raw(body=OK.body, cut=True), OK], "ok", "a cactus", ""),
    "invalid JSON": ([Raw(body=b'{"choices": ['), OK], "ok", "a cactus", ""),
    "HTML with 200": ([Raw(body=b"<html>maintenance</html>"), OK], "ok", "a cactus", ""),
    # Asked for a few times, and left out.
    "always HTML": ([Raw(body=b"<html></html>")], "error", "", ""),
    "empty body": ([Raw()], "error", "", ""),
    "204": ([Raw(204)], "error", "", ""),
    "a list": ([body([1, 2])], "error", "", ""),
    "null": ([body(None)], "error", "", ""),
    "no choices": ([body({"id": "1"})], "error", "", ""),
    "choices null": ([body({"choices": None})], "error", "", ""),
    "choices empty": ([body({"choices": []})], "error", "", ""),
    "choices a mapping": ([body({"choices": {"message": 1}})], "error", "", ""),
    "choice a text": ([body({"choices": ["a wug"]})], "error", "", ""),
    "message null": ([body({"choices": [{"message": None}]})], "error", "", ""),
    "message a text": ([body({"choices": [{"message": "a wug"}]})], "error", "", ""),
    "content a number": ([completion(5)], "error", "", ""),
    "content a mapping": ([completion({"text": "a wug"})], "error", "", ""),
    "nested too deep": ([Raw(body=b"[" * 100_000)], "error", "", ""),
    "50 MB": ([Raw(body=b'{"choices": "' + b"a" * (50 << 20) + b'"}')], "error", "", ""),
}  # fmt: skip
REFUSED = {400: "no such parameter", 401: "wrong key", 403: "not allowed", 404: "no such model", 422: "unreadable"}


@contextmanager
def replying(replies: list[Raw]) -> Iterator[str]:
    """The address of a server that gives these replies in order, the last again and again."""
    remaining = list(replies)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            is_probe = "prompt_logprobs" in request
            raw = OK if is_probe else remaining.pop(0) if len(remaining) > 1 else remaining[0]
            self.send_response(raw.code)
            for name, value in (JSON, *raw.headers):
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(raw.body)))
            self.end_headers()
            self.wfile.write(raw.body[: len(raw.body) // 2] if raw.cut else raw.body)
            if raw.cut:
                self.close_connection = True

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/v1"
    server.shutdown()


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ServerModel]:
    monkeypatch.setenv("LCL_LAB_CACHE", str(tmp_path))
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    return lambda address: ServerModel(Checkpoint("openai:it", Path("it"), "", address), 1)


def answer(model: ServerModel) -> Answer:
    (answered,) = model.answer([PROMPT], WORLD.image)
    return answered


@pytest.mark.parametrize("kind", REPLIES)
def test_every_reply_has_its_status(kind: str, served: Callable[[str], ServerModel]) -> None:
    replies, status, text, thinking = REPLIES[kind]
    with replying(replies) as address:
        model = served(address)
        answered = answer(model)
        assert (answered.status, answered.text, answered.thinking) == (status, text, thinking)
        asked = model.requests
        answer(model)
        assert (model.requests == asked) == (status == "ok"), "only answers that are ok are cached"


@pytest.mark.parametrize("code", REFUSED)
def test_a_refused_request_is_one_line_without_credentials(code: int, served: Callable[[str], ServerModel]) -> None:
    error = json.dumps({"error": {"message": f"{REFUSED[code]}: {KEY}"}}).encode()
    with replying([Raw(code, error)]) as address:
        secret = address.replace("http://", "http://user:hunter2@") + "?api_key=abc123"
        with pytest.raises(UserError) as caught:
            answer(served(secret))
    line = str(caught.value)
    assert REFUSED[code] in line
    assert "\n" not in line
    assert not any(word in line for word in (KEY, "hunter2", "abc123"))


def test_a_server_that_stays_unavailable_is_an_error(
    served: Callable[[str], ServerModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lcl_lab.models.server._RETRIES", 1)
    with replying([Raw(503)]) as address, pytest.raises(UserError, match="503"):
        answer(served(address))


def test_the_fingerprint_changes_with_the_model_that_the_server_reports(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LCL_LAB_CACHE", str(tmp_path))
    reply = json.loads(OK.body)
    other = body(reply | {"model": "it-2026-11"})
    with replying([OK, OK, other]) as address:
        first, second, third = (find_checkpoint("openai:it", base_url=address).fingerprint for _ in range(3))
    assert first == second != third


INTERRUPTED = """
from pathlib import Path
from lcl_lab.models import Checkpoint
from tests.models.test_server_replies import PROMPT, WORLD, ServerModel
model = ServerModel(Checkpoint("openai:it", Path("it"), "", "{address}"), 1)
print("asking", flush=True)
list(model.answer([PROMPT], WORLD.image))
"""


def test_an_interrupted_process_does_not_wait_for_requests(tmp_path: Path) -> None:
    class Hanging(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if "prompt_logprobs" not in request:
                time.sleep(600)
            self.send_response(200)
            self.send_header("Content-Length", str(len(OK.body)))
            self.end_headers()
            self.wfile.write(OK.body)

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Hanging)
    server.daemon_threads = True
    Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    code = INTERRUPTED.format(address=f"http://127.0.0.1:{server.server_port}/v1")
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "LCL_LAB_CACHE": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"asking\n"
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    process.wait(60)  # instead of the ten minutes that the request takes
    server.shutdown()
