from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from transformers import AutoProcessor

from lcl_lab.concepts import load_dataset
from lcl_lab.episodes import draw_episode
from lcl_lab.errors import UserError
from lcl_lab.models import find_checkpoint
from lcl_lab.models.engine.reference_engine import read_whole
from lcl_lab.models.preflight import choose_dtype, needs
from lcl_lab.models.transformers_model import load_hf
from lcl_lab.prompts import chat
from tests.models.factories import build

WORLD = load_dataset("world-100")
PROMPT = chat(draw_episode(WORLD, 0, 0, 8))


@pytest.fixture
def llava(tmp_path: Path) -> Path:
    return build("llava", tmp_path / "llava")


def test_what_is_needed_is_what_a_loaded_model_takes(llava: Path) -> None:
    found = needs(find_checkpoint(str(llava)), "bfloat16", PROMPT, WORLD.image)
    model = load_hf(find_checkpoint(str(llava)), 1, "bfloat16")
    weights = sum(parameter.nbytes for parameter in model._model.parameters())
    read = read_whole(AutoProcessor.from_pretrained(llava), model._encode, [PROMPT], WORLD.image)
    cache = model._model(**read).past_key_values
    a_token = sum(layer.keys.nbytes + layer.values.nbytes for layer in cache.layers) / read["input_ids"].shape[1]
    assert found.weights == weights
    assert found.tokens == read["input_ids"].shape[1] + 16
    assert found.prompt == a_token * found.tokens


def test_a_context_that_is_too_short_is_told_with_the_shots_that_fit(llava: Path) -> None:
    config = json.loads((llava / "config.json").read_text())
    config["text_config"]["max_position_embeddings"] = 200
    (llava / "config.json").write_text(json.dumps(config))
    with pytest.raises(UserError, match=r"8 shots are \d+ tokens and its context is 200; --shots 2 would fit"):
        needs(find_checkpoint(str(llava)), "auto", PROMPT, WORLD.image)
    assert needs(find_checkpoint(str(llava)), "auto", chat(draw_episode(WORLD, 0, 0, 2)), WORLD.image).tokens <= 200


def test_too_little_memory_is_told_before_the_weights_are_read(llava: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lcl_lab.models.preflight._free", lambda: 10_000)
    with pytest.raises(UserError, match=r"KiB of weights in float32.*9\.8 KiB are free: not enough memory"):
        needs(find_checkpoint(str(llava)), "auto", PROMPT, WORLD.image)


def test_images_that_a_processor_cannot_read_together_are_told(llava: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise ValueError("Only one image is supported.")

    monkeypatch.setattr("transformers.LlavaProcessor.__call__", refuse)
    with pytest.raises(UserError, match=r"cannot read 9 images in one prompt: Only one image is supported"):
        needs(find_checkpoint(str(llava)), "auto", PROMPT, WORLD.image)


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU computes in float16")
def test_a_dtype_that_does_not_work_here_is_told() -> None:
    with pytest.raises(UserError, match="did you mean 'bfloat16'"):
        choose_dtype("float16", None)
    assert choose_dtype("auto", None) == torch.float32
