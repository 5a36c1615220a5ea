"""Against a local server of the hub's own protocol; the client is the real one."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from lcl_lab.errors import UserError
from lcl_lab.models import find_checkpoint
from lcl_lab.models.hub import is_hub_id
from tests.models.tiny import build

_COMMIT = "0123456789abcdef0123456789abcdef01234567"


class _Hub(BaseHTTPRequestHandler):
    folder: Path
    sent: list[str]

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, body: bool) -> None:
        files = sorted(path.name for path in self.folder.iterdir())
        if not self.path.removeprefix("/api/models").startswith("/lab/tiny"):
            self._send(404, b"{}", body, {"X-Error-Code": "RepoNotFound"})
        elif "/tree/" in self.path:
            sizes = {name: (self.folder / name).stat().st_size for name in files}
            tree = [{"type": "file", "path": name, "size": size, "oid": name} for name, size in sizes.items()]
            self._send(200, json.dumps(tree).encode(), body, {})
        elif self.path.startswith("/api/"):
            info = {"id": "lab/tiny", "sha": _COMMIT, "siblings": [{"rfilename": name} for name in files]}
            self._send(200, json.dumps(info).encode(), body, {})
        else:
            content = (self.folder / self.path.rpartition("/")[2]).read_bytes()
            if body:
                self.sent.append(self.path.rpartition("/")[2])
            etag = hashlib.sha256(content).hexdigest()
            self._send(200, content, body, {"ETag": f'"{etag}"', "X-Repo-Commit": _COMMIT})

    def _send(self, status: int, content: bytes, body: bool, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(content))} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        if body:
            self.wfile.write(content)

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[_Hub]]:
    _Hub.folder, _Hub.sent = build("llava", tmp_path / "tiny"), []
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Hub)
    Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(
        "huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE",
        f"http://127.0.0.1:{server.server_port}/{{repo_id}}/resolve/{{revision}}/{{filename}}",
    )
    yield _Hub
    server.shutdown()


def test_a_model_is_fetched_once_and_known_by_its_commit(hub: type[_Hub]) -> None:
    found = find_checkpoint("lab/tiny")
    assert (found.fingerprint, found.path.name) == (_COMMIT[:16], _COMMIT)
    assert (found.path / "model.safetensors").read_bytes() == (hub.folder / "model.safetensors").read_bytes()
    sent = list(hub.sent)
    assert find_checkpoint("lab/tiny") == found
    assert hub.sent == sent


def test_a_model_that_the_hub_has_not_is_told(hub: type[_Hub]) -> None:
    with pytest.raises(UserError, match="no such folder, and the hub has no model of that name"):
        find_checkpoint("lab/other")


def test_a_text_model_is_told_before_its_weights_are_fetched(hub: type[_Hub]) -> None:
    (hub.folder / "config.json").write_text(json.dumps({"model_type": "llama"}))
    with pytest.raises(UserError, match="a llama model does not read images and text"):
        find_checkpoint("lab/tiny")
    assert "model.safetensors" not in hub.sent


def test_a_hub_that_is_out_of_reach_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(UserError, match="no such folder, and the hub cannot be reached"):
        find_checkpoint("lab/tiny")


@pytest.mark.parametrize("name", ["llava-hf/llava-1.5-7b-hf", "Qwen/Qwen3-VL-2B-Instruct"])
def test_hub_ids_are_told_from_folders(name: str) -> None:
    assert is_hub_id(name)
    assert not any(is_hub_id(other) for other in (f"/{name}", f"./{name}", f"{name}/x", "model", "../model"))
