from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import AutoProcessor

from lcl_lab.concepts import load_dataset
from lcl_lab.episodes import draw_episode
from lcl_lab.errors import UserError
from lcl_lab.models import find_checkpoint
from lcl_lab.models.engine.reference_engine import ReferenceEngine, process_prompts
from lcl_lab.models.preflight import check_requirements, choose_dtype
from lcl_lab.models.transformers_model import load_transformers_model
from lcl_lab.prompts import Prompt, Turn, chat
from tests.models.factories import build

WORLD = load_dataset("world-100")
PROMPT = chat(draw_episode(WORLD, 0, 0, 8))


@pytest.fixture
def llava(tmp_path: Path) -> Path:
    return build("llava", tmp_path / "llava")


def test_requirements_are_those_of_a_loaded_model(llava: Path) -> None:
    required = check_requirements(find_checkpoint(str(llava)), "bfloat16", PROMPT, WORLD.image)
    model = load_transformers_model(find_checkpoint(str(llava)), 1, "bfloat16")
    weights = sum(parameter.nbytes for parameter in model.network.parameters())
    inputs = process_prompts(AutoProcessor.from_pretrained(llava), model.encoder, [PROMPT], WORLD.image)
    cache = model.network(**inputs).past_key_values
    per_token = sum(layer.keys.nbytes + layer.values.nbytes for layer in cache.layers) / inputs["input_ids"].shape[1]
    assert required.weights == weights
    assert required.tokens == inputs["input_ids"].shape[1] + 16
    assert required.kv_cache == per_token * required.tokens


@pytest.mark.parametrize("checkpoint", ["mini/2-way", "llava"])
def test_a_prompt_without_images_has_the_tokens_of_its_text(checkpoint: str, llava: Path) -> None:
    prompt = Prompt((Turn("user", ("1 + 1 = ?",)),), ("2", "3"))
    found = find_checkpoint(str(llava) if checkpoint == "llava" else checkpoint)
    required = check_requirements(found, "auto", prompt, WORLD.image)
    prefix = load_transformers_model(found).encoder(prompt).prefix
    assert (required.tokens, required.per_image) == (len(prefix) + 16, 0)


def test_a_context_that_is_too_short_is_an_error_with_the_shots_that_fit(llava: Path) -> None:
    config = json.loads((llava / "config.json").read_text())
    config["text_config"]["max_position_embeddings"] = 200
    (llava / "config.json").write_text(json.dumps(config))
    with pytest.raises(UserError, match=r"8 shots take \d+ tokens, but its context is 200; 2 shots would fit"):
        check_requirements(find_checkpoint(str(llava)), "auto", PROMPT, WORLD.image)
    assert (
        check_requirements(find_checkpoint(str(llava)), "auto", chat(draw_episode(WORLD, 0, 0, 2)), WORLD.image).tokens
        <= 200
    )


def test_a_longer_answer_than_the_context_holds_ends_where_the_context_does(llava: Path) -> None:
    """As a server that is asked for more tokens than its context has, instead of refusing every number of shots."""
    checkpoint = find_checkpoint(str(llava))
    context = check_requirements(checkpoint, "auto", PROMPT, WORLD.image).tokens + 10
    config = json.loads((llava / "config.json").read_text())
    config["text_config"]["max_position_embeddings"] = context
    (llava / "config.json").write_text(json.dumps(config))
    long = replace(checkpoint, settings=replace(checkpoint.settings, max_new_tokens=1024))
    assert check_requirements(long, "auto", PROMPT, WORLD.image).tokens == context
    prompts = [PROMPT, chat(draw_episode(WORLD, 0, 0, 6))]
    model = load_transformers_model(long)
    single = ReferenceEngine(model.network, model.processor, model.encoder, 1, 1024)
    generated = {number: answer.text for number, answer, _ in single.answer(prompts, WORLD.image)}
    lengths = [
        len(process_prompts(model.processor, model.encoder, [one], WORLD.image)["input_ids"][0]) for one in prompts
    ]
    for number, answer in enumerate(model.answer(prompts, WORLD.image)):
        room = context - lengths[number]
        exact = ReferenceEngine(model.network, model.processor, model.encoder, 1, room)
        ((_, expected, _),) = exact.answer([prompts[number]], WORLD.image)
        assert answer.text == expected.text == generated[number]
    assert context - lengths[0] == 26 < context - lengths[1]


def test_too_little_memory_is_an_error_before_weights_are_loaded(llava: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lcl_lab.models.preflight._free_memory", lambda processes: 10_000)
    with pytest.raises(UserError, match=r"not enough memory for .* KiB in float32, .*free memory 9\.8 KiB"):
        check_requirements(find_checkpoint(str(llava)), "auto", PROMPT, WORLD.image)


def test_images_that_a_processor_rejects_are_an_error(llava: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise ValueError("Only one image is supported.")

    monkeypatch.setattr("transformers.LlavaProcessor.__call__", refuse)
    with pytest.raises(UserError, match=r"does not accept 9 images in one prompt: Only one image is supported"):
        check_requirements(find_checkpoint(str(llava)), "auto", PROMPT, WORLD.image)


@pytest.mark.skipif(torch.cuda.is_available(), reason="GPUs support float16")
def test_an_unsupported_dtype_is_an_error() -> None:
    with pytest.raises(UserError, match="did you mean 'bfloat16'"):
        choose_dtype("float16", None)
    assert choose_dtype("auto", None) == torch.float32
