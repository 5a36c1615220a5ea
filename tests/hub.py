"""A local server with the protocol of the Hugging Face hub, for the real client."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

__all__ = ["COMMIT", "Hub", "serve"]

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Hub(BaseHTTPRequestHandler):
    """One repository named `repo` with the files of `folder`; `sent` lists the files that were downloaded."""

    repo: str
    folder: Path
    sent: list[str]
    address: str

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, body: bool) -> None:
        sizes = {
            str(path.relative_to(self.folder)): path.stat().st_size
            for path in sorted(self.folder.rglob("*"))
            if path.is_file()
        }
        if self.repo not in self.path:
            self._send(404, b"{}", body, {"X-Error-Code": "RepoNotFound"})
        elif "/tree/" in self.path:
            tree = [{"type": "file", "path": name, "size": size, "oid": name} for name, size in sizes.items()]
            self._send(200, json.dumps(tree).encode(), body, {})
        elif self.path.startswith("/api/"):
            info = {"id": self.repo, "sha": COMMIT, "siblings": [{"rfilename": name} for name in sizes]}
            self._send(200, json.dumps(info).encode(), body, {})
        else:
            name = self.path.partition(f"/resolve/{COMMIT}/")[2]
            content = (self.folder / name).read_bytes()
            if body:
                self.sent.append(name)
            etag = hashlib.sha256(content).hexdigest()
            self._send(200, content, body, {"ETag": f'"{etag}"', "X-Repo-Commit": COMMIT})

    def _send(self, status: int, content: bytes, body: bool, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(content))} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        if body:
            self.wfile.write(content)

    def log_message(self, *_: object) -> None: ...


@contextmanager
def serve(repo: str, folder: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Hub]]:
    """Direct the hub's client to a server that has only this repository."""
    Hub.repo, Hub.folder, Hub.sent = repo, folder, []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    Hub.address = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", Hub.address)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(cache))
    template = Hub.address + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr("huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", template)
    yield Hub
    server.shutdown()
