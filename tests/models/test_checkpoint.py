from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from lcl_lab.concepts import load_dataset
from lcl_lab.episodes import draw_episode
from lcl_lab.errors import UserError
from lcl_lab.models import find_checkpoint, load_model, shipped
from lcl_lab.models.checkpoint import CARD, fingerprint
from lcl_lab.prompts import chat


@pytest.fixture
def copy(untrained: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(untrained, tmp_path / "model"))


def test_the_embedded_models_ship_with_the_package_and_are_whole() -> None:
    assert {"mini/base", "mini/2-way", "mini/prototype"} <= set(shipped())
    for name in shipped():
        assert find_checkpoint(name).name == name


def test_an_unknown_name_is_told_with_the_nearest() -> None:
    with pytest.raises(UserError, match=r"unknown model.*did you mean 'mini/2-way'"):
        find_checkpoint("mini/2way")


def test_a_folder_without_a_model_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no config\.json"):
        find_checkpoint(str(tmp_path))


def test_truncated_weights_are_told_before_loading(copy: Path) -> None:
    weights = copy / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])
    with pytest.raises(UserError, match=r"model\.safetensors is damaged"):
        find_checkpoint(str(copy))


def test_one_wrong_bit_is_told_where_there_is_a_card(copy: Path) -> None:
    (copy / CARD).write_text(json.dumps({"fingerprint": fingerprint(copy)}))
    assert find_checkpoint(str(copy))
    weights = copy / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(UserError, match="its card says"):
        find_checkpoint(str(copy))


def test_the_fingerprint_is_of_the_content_not_of_the_place(untrained: Path, copy: Path) -> None:
    assert fingerprint(copy) == fingerprint(untrained)
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps({**config, "image_token_index": 3}))
    assert fingerprint(copy) != fingerprint(untrained)


def test_weights_that_do_not_fit_the_config_are_told(copy: Path) -> None:
    (copy / "config.json").write_text(json.dumps({"model_type": "no-such-model"}))
    with pytest.raises(UserError, match="cannot load"):
        load_model(find_checkpoint(str(copy)), 1)


def test_a_model_without_a_chat_template_is_asked_line_by_line(copy: Path) -> None:
    (copy / "chat_template.jinja").unlink()
    world = load_dataset("world-100")
    (answer,) = load_model(find_checkpoint(str(copy)), 1).answer([chat(draw_episode(world, 0, 0, 2))], world.image)
    assert len(answer.logliks) == 2
    assert "\n" not in answer.text
