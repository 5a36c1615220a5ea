from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from lcl_lab.errors import UserError
from lcl_lab.models import find_checkpoint
from lcl_lab.models.checkpoint import is_hub_id
from tests.hub import COMMIT, Hub, serve
from tests.models.factories import build


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Hub]]:
    with serve("lab/tiny", build("llava", tmp_path / "tiny"), tmp_path / "cache", monkeypatch) as server:
        yield server


def test_a_model_is_downloaded_once_and_identified_by_its_commit(hub: type[Hub]) -> None:
    checkpoint = find_checkpoint("lab/tiny")
    assert (checkpoint.fingerprint, checkpoint.path.name) == (COMMIT[:16], COMMIT)
    assert (checkpoint.path / "model.safetensors").read_bytes() == (hub.folder / "model.safetensors").read_bytes()
    sent = list(hub.sent)
    assert find_checkpoint("lab/tiny") == checkpoint
    assert hub.sent == sent


def test_a_model_that_does_not_exist_is_an_error(hub: type[Hub]) -> None:
    with pytest.raises(UserError, match=r"^model lab/other: no such folder, and no such model on the hub"):
        find_checkpoint("lab/other")


def test_a_text_model_is_an_error_before_its_weights_are_downloaded(hub: type[Hub]) -> None:
    (hub.folder / "config.json").write_text(json.dumps({"model_type": "llama"}))
    with pytest.raises(UserError, match="a llama model does not accept images and text"):
        find_checkpoint("lab/tiny")
    assert "model.safetensors" not in hub.sent


def test_a_hub_that_cannot_be_reached_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(UserError, match="no such folder, and the hub cannot be reached"):
        find_checkpoint("lab/tiny")


@pytest.mark.parametrize("name", ["llava-hf/llava-1.5-7b-hf", "Qwen/Qwen3-VL-2B-Instruct"])
def test_hub_ids_are_distinguished_from_folders(name: str) -> None:
    assert is_hub_id(name)
    assert not any(is_hub_id(other) for other in (f"/{name}", f"./{name}", f"{name}/x", "model", "../model"))
