"""Checkpoints that tests build: real files of real models, with weights drawn at random."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # two workers and their programs share the cores

import pytest
import torch
from transformers import CLIPVisionConfig, LlamaConfig, LlavaConfig, LlavaForConditionalGeneration

from lcl_lab.concepts import datasets
from lcl_lab.models import user_models
from lcl_lab.models.mini.architecture import IMAGE_TOKENS, build_mini
from lcl_lab.models.mini.clip import build_clip
from lcl_lab.models.mini.clip_tower import clip_vision_tower
from lcl_lab.models.mini.processor import build_processor
from lcl_lab.models.photo.photo_processor import build_photo_processor
from lcl_lab.models.photo.photo_vision_config import PhotoVisionConfig
from lcl_lab.models.photo.photo_vision_tower import PhotoVisionModel, save_vision_tower
from lcl_lab.strategies import registry as strategy_registry
from lcl_lab.studies import study_registry
from tests.models.convert.factories import write_released
from tests.sweeps.grids import ONE, run

torch.set_num_threads(1)  # tiny models are fastest so


@pytest.fixture(scope="module", autouse=True)
def registrations() -> Iterator[None]:
    """What a file registers ends with it: the next file of the same process starts without."""
    registries = [module._registered for module in (datasets, user_models, strategy_registry, study_registry)]
    before = [dict(registry) for registry in registries]
    yield
    for registry, entries in zip(registries, before, strict=True):
        registry.clear()
        registry.update(entries)


@pytest.fixture(scope="module", autouse=True)
def main_module() -> Iterator[None]:
    """Streamlit makes the page that it runs `__main__`, which `multiprocessing` would import in its processes."""
    before = sys.modules["__main__"]
    yield
    sys.modules["__main__"] = before


@pytest.fixture(scope="session")
def untrained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an untrained embedded model."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("checkpoints") / "untrained"
    processor = build_processor(IMAGE_TOKENS)
    tokenizer = processor.tokenizer
    tower = clip_vision_tower(build_clip().state_dict())
    model = build_mini(tower, len(tokenizer), processor.image_token_id, tokenizer.eos_token_id)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def photo_prototype(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a vision tower for photos with random weights, and of the processor of the models around it."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("checkpoints") / "photo-prototype"
    processor = build_photo_processor(["red", "green", "blue", "dark red", "blue-green"], IMAGE_TOKENS)
    tower = PhotoVisionModel(PhotoVisionConfig())
    for module in tower.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 1.0
    tower.train()(torch.randn(8, 3, 64, 64))  # else the features of random weights would all but vanish
    save_vision_tower(tower, processor, folder)
    return folder


@pytest.fixture(scope="session")
def stock(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a LLaVA as `transformers` has it, of 16 tokens an image, tiny and untrained."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("checkpoints") / "stock"
    processor = build_processor(16)
    vision = CLIPVisionConfig(
        hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2, image_size=64, patch_size=16
    )
    text = LlamaConfig(
        vocab_size=len(processor.tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        eos_token_id=processor.tokenizer.eos_token_id,
    )
    config = LlavaConfig(vision_config=vision, text_config=text, image_token_index=processor.image_token_id)
    model = LlavaForConditionalGeneration(config)
    model.generation_config.eos_token_id = processor.tokenizer.eos_token_id
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def released(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A tiny checkpoint as the authors release theirs: the folder of its shards, and that of its image tower."""
    return write_released(tmp_path_factory.mktemp("released"))


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a sweep with one worker that nobody disturbed."""
    folder = tmp_path_factory.mktemp("undisturbed")
    done = run(folder, "--workers", "1", grid=ONE)
    assert done.returncode == 0, done.stderr
    return folder
