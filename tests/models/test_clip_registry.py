from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from lcl_lab.concepts import ImageRef, load_dataset
from lcl_lab.errors import UserError
from lcl_lab.models.clip_registry import load_clip_by_name

WORLD = load_dataset("world-dev")
CONCEPTS = list(WORLD.concepts.values())[:3]


def test_features_of_the_mini_clip_have_unit_length() -> None:
    clip = load_clip_by_name("mini/prototype")
    images = [WORLD.image(ImageRef(WORLD.name, concept.id, 0)) for concept in CONCEPTS]
    for features in (clip.encode_images(images), clip.encode_concepts(CONCEPTS)):
        np.testing.assert_allclose(np.linalg.norm(features, axis=1), np.ones(3), rtol=1e-5)


def test_the_fingerprint_is_that_of_the_weights(tiny_open_clip: Path, tmp_path: Path) -> None:
    original = load_clip_by_name(f"tiny-registry:{tiny_open_clip}").fingerprint
    copy = tmp_path / tiny_open_clip.name
    state = torch.load(tiny_open_clip)
    state["logit_scale"] += 1
    torch.save(state, copy)
    assert load_clip_by_name(f"tiny-registry:{copy}").fingerprint != original
    copy.write_bytes(tiny_open_clip.read_bytes())
    assert load_clip_by_name(f"tiny-registry:{copy}").fingerprint == original


def test_unknown_models_and_weights_are_errors() -> None:
    with pytest.raises(UserError, match=r"^clip ViT-B-33:x: unknown model; did you mean 'ViT-B-\d\d'\?"):
        load_clip_by_name("ViT-B-33:x")
    with pytest.raises(UserError, match=r"^clip ViT-B-32:opneai: neither .* did you mean 'openai'\?"):
        load_clip_by_name("ViT-B-32:opneai")
    with pytest.raises(UserError, match=r"^clip mini/prototyp: unknown model"):
        load_clip_by_name("mini/prototyp")
