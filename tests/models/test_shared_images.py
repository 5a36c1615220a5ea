from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lcl_lab.concepts import ImageRef
from lcl_lab.models import SharedImages, shared_images
from lcl_lab.models.feature_store import FeatureStore, Row
from lcl_lab.models.shared_images import VisionTower

REFS = [ImageRef("data", "concept", number) for number in range(3)]


def image(ref: ImageRef) -> Image.Image:
    return Image.new("RGB", (4, 4), (ref.number, 0, 0))


class Tower:
    """Gives an image its red; large ones under a key that other towers do not share."""

    shape = (1,)

    def __init__(self, own: str) -> None:
        self.keys = ("shared", own)
        self.encoded = 0

    def encode(self, images: Sequence[Image.Image]) -> Iterator[tuple[str, Row]]:
        for one in images:
            self.encoded += 1
            red = one.getpixel((0, 0))[0]  # type: ignore[index]
            yield self.keys[0 if one.width == 4 else 1], np.array([red], np.float32)


def nowhere(tower: VisionTower, key: str, ref: ImageRef) -> None:
    """Stores nothing."""


def test_an_image_is_loaded_once_and_every_caller_may_change_it() -> None:
    images = SharedImages(image, nowhere)
    images(REFS[1]).putpixel((0, 0), (99, 99, 99))
    images(REFS[1]).putpixel((0, 0), (99, 99, 99))
    assert images(REFS[1]).getpixel((0, 0)) == (1, 0, 0)
    assert images.images_loaded == 1


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_images, "_IMAGE_BYTES", 2 * 4 * 4 * 3)
    images = SharedImages(image, nowhere)
    for ref in [*REFS, REFS[2], REFS[0]]:
        images(ref)
    assert images.images_loaded == 4


def test_towers_with_the_same_key_share_features() -> None:
    images = SharedImages(image, nowhere)
    first, second = Tower("one"), Tower("other")
    assert images.features(first, REFS[:2]) == {REFS[0]: [0], REFS[1]: [1]}
    assert images.features(second, [*REFS, *REFS]) == {REFS[0]: [0], REFS[1]: [1], REFS[2]: [2]}
    assert (first.encoded, second.encoded) == (2, 1)
    assert images.images_loaded == images.images_encoded == 3


def test_towers_that_prepare_an_image_differently_do_not_share_it() -> None:
    images = SharedImages(lambda ref: image(ref).resize((8, 8)), nowhere)
    towers = [Tower("one"), Tower("other"), Tower("one")]
    for tower in towers:
        images.features(tower, REFS)
    assert [tower.encoded for tower in towers] == [3, 3, 0]
    assert images.images_loaded == 3


def test_stored_features_need_no_images(tmp_path: Path) -> None:
    def store(tower: VisionTower, key: str, ref: ImageRef) -> FeatureStore | None:
        return None if ref == REFS[2] else stores.setdefault(key, FeatureStore(key, tower.shape, tmp_path))

    stores: dict[str, FeatureStore] = {}
    SharedImages(image, store).features(Tower("one"), REFS)
    stores.clear()
    later = SharedImages(image, store)
    assert later.features(Tower("one"), REFS) == {ref: [ref.number] for ref in REFS}
    assert later.images_loaded == later.images_encoded == 1
