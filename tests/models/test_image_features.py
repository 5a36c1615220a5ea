from __future__ import annotations

import numpy as np
import pytest
from PIL.Image import Image

from lcl_lab.concepts import ImageRef, load_dataset
from lcl_lab.models import ImageFeatures
from lcl_lab.models.clip_registry import load_clip_by_name

WORLD = load_dataset("world-100")


def test_features_are_those_of_the_clip_and_each_image_is_encoded_once() -> None:
    loaded: list[ImageRef] = []

    def image(ref: ImageRef) -> Image:
        loaded.append(ref)
        return WORLD.image(ref)

    features = ImageFeatures("mini/prototype", image)
    refs = [ImageRef("world-100", concept, 0) for concept in list(WORLD.concepts)[:4]]
    features.encode([*refs, *refs])
    features.encode(refs[:2])
    assert loaded == refs
    expected = load_clip_by_name("mini/prototype").encode_images([WORLD.image(ref) for ref in refs])
    for ref, feature in zip(refs, expected, strict=True):
        assert features(ref) == pytest.approx(feature, abs=1e-5)
        assert np.linalg.norm(features(ref)) == pytest.approx(1.0, abs=1e-4)
    other = ImageRef("world-100", refs[0].concept, 1)
    features(other)
    features(other)
    assert loaded == [*refs, other]
