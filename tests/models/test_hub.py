from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from lcl_lab.errors import UserError
from lcl_lab.models import find_checkpoint
from lcl_lab.models.hub import is_hub_id
from tests.hub import COMMIT, Hub, serve
from tests.models.factories import build


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Hub]]:
    with serve("lab/tiny", build("llava", tmp_path / "tiny"), tmp_path / "cache", monkeypatch) as server:
        yield server


def test_a_model_is_fetched_once_and_known_by_its_commit(hub: type[Hub]) -> None:
    found = find_checkpoint("lab/tiny")
    assert (found.fingerprint, found.path.name) == (COMMIT[:16], COMMIT)
    assert (found.path / "model.safetensors").read_bytes() == (hub.folder / "model.safetensors").read_bytes()
    sent = list(hub.sent)
    assert find_checkpoint("lab/tiny") == found
    assert hub.sent == sent


def test_a_model_that_the_hub_has_not_is_told(hub: type[Hub]) -> None:
    with pytest.raises(UserError, match="no such folder, and the hub has no model of that name"):
        find_checkpoint("lab/other")


def test_a_text_model_is_told_before_its_weights_are_fetched(hub: type[Hub]) -> None:
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
