from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from lcl_lab.concepts import ImageRef
from lcl_lab.episodes import with_replacements
from lcl_lab.episodes.replaced_images import blank, name_without_replacement, noise

REF = ImageRef("folder:a:b", "cat", 3)


def photo(ref: ImageRef) -> Image.Image:
    """The only image of a dataset that insists on its own references."""
    assert ref == REF
    return Image.new("RGB", (30, 20), "red")


IMAGE = with_replacements(photo)


def test_an_image_that_is_not_replaced_is_that_of_the_dataset() -> None:
    assert IMAGE(REF).getpixel((0, 0)) == (255, 0, 0)


def test_a_blank_image_is_grey_and_of_the_same_size() -> None:
    pixels = np.asarray(IMAGE(blank(REF)))
    assert pixels.shape == (20, 30, 3)
    assert (pixels == 128).all()


def test_noise_is_of_the_same_size_and_the_same_every_time() -> None:
    first, again = (np.asarray(IMAGE(noise(REF))) for _ in range(2))
    assert first.shape == (20, 30, 3)
    assert (first == again).all()
    assert 100 < first.mean() < 155
    assert len(np.unique(first)) > 200


@pytest.mark.parametrize("ref", [REF, blank(REF), noise(REF)])
def test_the_dataset_of_a_reference_is_known(ref: ImageRef) -> None:
    assert name_without_replacement(ref.data) == REF.data
    data, concept, number = str(ref).rsplit(":", 2)
    assert ImageRef(data, concept, int(number)) == ref
