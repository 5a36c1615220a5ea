from __future__ import annotations

import copy
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from lcl_lab.concepts import ImageRef, load_dataset
from lcl_lab.models import SharedImages, load_model
from lcl_lab.models.checkpoint import PROTOTYPE, find_checkpoint
from lcl_lab.models.interface import ModelSettings
from lcl_lab.models.mini.clip import image_features, load_clip
from lcl_lab.models.mini.feature_memory import FeatureMemory
from lcl_lab.models.mini.shared_tower import SharedTower
from lcl_lab.models.transformers_model import TransformersModel

WORLD = load_dataset("world-100")
REFS = [ImageRef("world-100", concept, number) for concept in ("000", "001") for number in range(3)]


@cache
def mini(name: str) -> TransformersModel:
    model = load_model(name)
    assert isinstance(model, TransformersModel)
    return model


def tower_of(model: TransformersModel) -> SharedTower:
    tower: SharedTower = model.engine.images._tower  # type: ignore[union-attr]
    return tower


@pytest.mark.parametrize("size", [(64, 64), (90, 70)], ids=str)
def test_features_are_those_of_the_whole_model(size: tuple[int, int]) -> None:
    def image(ref: ImageRef) -> Image.Image:
        return WORLD.image(ref._replace(data=WORLD.name)).resize(size)

    encoder = mini("mini/2-way").engine.images  # type: ignore[union-attr]
    keys = encoder.keys([ref._replace(data=str(size)) for ref in REFS])
    shared = encoder.encode(keys, image)
    whole = encoder._encode_batch(keys, [image(ref) for ref, _ in keys])
    for key, one in zip(keys, whole, strict=True):
        torch.testing.assert_close(shared[key].features, one.features, atol=1e-5, rtol=0)
        assert (shared[key].ids, shared[key].types) == (one.ids, one.types)


def test_models_and_prototype_encode_an_image_once() -> None:
    images = SharedImages(WORLD.image, lambda *_: None)
    for name in ("mini/base", "mini/2-way"):
        encoder = mini(name).engine.images  # type: ignore[union-attr]
        encoder.encode(encoder.keys(REFS), images)
    memory = FeatureMemory(find_checkpoint(PROTOTYPE).path)
    memory.encode(REFS, images)
    assert images.images_loaded == images.images_encoded == len(REFS)
    clip = load_clip(find_checkpoint(PROTOTYPE).path)
    expected = image_features(clip, np.stack([np.asarray(WORLD.image(ref)) for ref in REFS]))
    np.testing.assert_allclose(np.stack([memory[ref] for ref in REFS]), expected, atol=1e-5)


def test_what_changes_the_features_changes_the_key() -> None:
    keys = tower_of(mini("mini/2-way")).keys
    assert tower_of(mini("mini/base")).keys == keys
    assert len(keys) == 2
    darker = tower_of(load_model("mini/2-way", settings=ModelSettings(processor={"image_mean": [0.6] * 3}))).keys  # type: ignore[arg-type]
    assert len(darker) == 1, "no image is prepared as for the other models"
    assert not set(darker) & set(keys)
    trained = copy.deepcopy(mini("mini/2-way").network.model.vision_tower)
    with torch.no_grad():
        next(trained.parameters()).add_(1e-3)
    assert not set(SharedTower(trained, lambda _: torch.zeros(0), "").keys) & set(keys)


def test_a_damaged_clip_is_reported(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="cannot load"):
        FeatureMemory(tmp_path)
