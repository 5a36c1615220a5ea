from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from lcl_lab.concepts import load_dataset
from lcl_lab.episodes import draw_episode
from lcl_lab.errors import UserError
from lcl_lab.models import load_model
from lcl_lab.models.mini import PrototypeModel
from lcl_lab.models.transformers_model import TransformersModel
from lcl_lab.prompts import chat


@pytest.fixture
def copy(untrained: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(untrained, tmp_path / "model"))


def test_a_model_is_loaded_by_name() -> None:
    assert isinstance(load_model("mini/base"), TransformersModel)
    assert isinstance(load_model("mini/prototype"), PrototypeModel)


def test_a_checkpoint_that_transformers_does_not_know_is_an_error(copy: Path) -> None:
    (copy / "config.json").write_text(json.dumps({"model_type": "no-such-model"}))
    with pytest.raises(UserError, match=r"^model .*: cannot load"):
        load_model(str(copy))


@pytest.mark.parametrize(
    ("argument", "value", "reason"),
    [("batch_size", 0, "must be at least 1"), ("dtype", "float12", r"did you mean 'float\d\d'\?")],
)
def test_wrong_arguments_are_errors(argument: str, value: object, reason: str) -> None:
    with pytest.raises(UserError, match=f"^{argument} {value}: .*{reason}$"):
        load_model("mini/base", **{argument: value})


def test_a_model_without_a_chat_template_gets_one_line_per_turn(copy: Path) -> None:
    (copy / "chat_template.jinja").unlink()
    world = load_dataset("world-100")
    (answer,) = load_model(str(copy), 1).answer([chat(draw_episode(world, 0, 0, 2))], world.image)
    assert len(answer.logliks) == 2
    assert "\n" not in answer.text
