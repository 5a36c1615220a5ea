from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from transformers import AutoProcessor

from lcl_lab.concepts import ImageRef, load_dataset, random_appearance
from lcl_lab.models.mini.clip import (
    build_clip,
    image_features,
    load_clip,
    save_clip,
    tokenize_descriptions,
)
from lcl_lab.models.mini.clip_tower import clip_vision_tower, pixels


def test_the_converted_tower_gives_the_same_features() -> None:
    torch.manual_seed(0)
    clip = build_clip().eval()
    tower = clip_vision_tower(clip.state_dict())
    images = torch.randn(4, 3, 64, 64)
    with torch.inference_mode():
        patches = tower(images).last_hidden_state[:, 1:]
        ours = tower.post_layernorm(patches).mean(1) @ clip.visual.proj
        torch.testing.assert_close(ours, clip.encode_image(images), atol=1e-5, rtol=1e-5)


def test_saving_keeps_half_precision(tmp_path: Path) -> None:
    clip = build_clip().eval()
    save_clip(clip, tmp_path)
    for a, b in zip(clip.state_dict().values(), load_clip(tmp_path).state_dict().values(), strict=True):
        torch.testing.assert_close(a, b, atol=1e-3, rtol=1e-3)


def test_pixels_equal_those_of_the_processor(untrained: Path) -> None:
    world = load_dataset("world-100")
    image = world.image(ImageRef("world-100", "000", 0))
    ours = pixels(np.asarray(image)[None])
    theirs = AutoProcessor.from_pretrained(untrained).image_processor([image], return_tensors="pt")["pixel_values"]
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=0)


def test_features_have_unit_length_and_do_not_depend_on_the_batch() -> None:
    clip = build_clip().eval()
    images = np.random.default_rng(0).integers(0, 255, (5, 64, 64, 3), dtype=np.uint8)
    together = image_features(clip, images)
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, rtol=1e-5)
    apart = np.concatenate([image_features(clip, images[k : k + 1]) for k in range(5)])
    np.testing.assert_allclose(together, apart, atol=1e-5)


def test_different_descriptions_have_different_tokens() -> None:
    rng = np.random.default_rng(0)
    appearances = [random_appearance(rng) for _ in range(50)]
    rows = tokenize_descriptions([appearance.describe() for appearance in appearances])
    assert rows.shape == (50, 20)
    assert len({tuple(row) for row in rows.tolist()}) == len({appearance.describe() for appearance in appearances})
