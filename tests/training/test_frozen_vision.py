from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import AutoModelForImageTextToText, AutoProcessor

from lcl_lab.concepts import ImageRef, load_dataset
from lcl_lab.training.frozen_vision import FrozenVision, project

IMAGES = [load_dataset("world-dev").image(ImageRef("world-dev", "000", number)) for number in range(3)]


@pytest.mark.parametrize("name", ["untrained", "stock"])
def test_encoding_and_projecting_is_what_the_model_does(name: str, request: pytest.FixtureRequest) -> None:
    folder: Path = request.getfixturevalue(name)
    model, processor = AutoModelForImageTextToText.from_pretrained(folder), AutoProcessor.from_pretrained(folder)
    pixels = processor.image_processor(IMAGES, return_tensors="pt")["pixel_values"]
    with torch.no_grad():
        whole = torch.stack(list(model.get_image_features(pixels).pooler_output))
    before = set(model.state_dict())
    vision = FrozenVision(model, processor)
    assert not any("vision_tower" in key for key in model.state_dict())
    with torch.no_grad():
        torch.testing.assert_close(project(model, vision.encode(IMAGES)), whole)
    vision.restore(model)
    assert set(model.state_dict()) == before


def test_the_same_weights_have_the_same_fingerprint(untrained: Path, stock: Path) -> None:
    def fingerprint(folder: Path) -> str:
        model = AutoModelForImageTextToText.from_pretrained(folder)
        return FrozenVision(model, AutoProcessor.from_pretrained(folder)).fingerprint

    assert fingerprint(untrained) == fingerprint(untrained) != fingerprint(stock)
