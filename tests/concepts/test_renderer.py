from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lcl_lab.concepts import FACTORS, IMAGE_SIZE, random_appearance, render, render_with_box
from lcl_lab.concepts.world import world_100

APPEARANCE = random_appearance(np.random.default_rng(0))


def test_an_image_depends_on_its_appearance_and_number_alone() -> None:
    first = render(APPEARANCE, 3)
    render(random_appearance(np.random.default_rng(1)), 4)
    assert np.array_equal(first, render(APPEARANCE, 3))


def test_images_are_colour_pictures() -> None:
    image = render(APPEARANCE, 0)
    assert image.shape == (IMAGE_SIZE, IMAGE_SIZE, 3)
    assert image.dtype == np.uint8
    assert image.std() > 10


def test_no_two_images_of_an_appearance_are_alike() -> None:
    images = [render(APPEARANCE, k).astype(float) for k in range(20)]
    gaps = [np.abs(a - b).mean() for k, a in enumerate(images) for b in images[k + 1 :]]
    assert min(gaps) > 5


@pytest.mark.parametrize("factor", FACTORS)
def test_every_value_of_a_factor_is_visible(factor: str) -> None:
    base = replace(APPEARANCE, pattern="striped", colour="white", second="red")
    values = [value for value in FACTORS[factor] if value not in ("white", "red")]
    images = {render(replace(base, **{factor: value}), 0).tobytes() for value in values}
    assert len(images) == len(values)


def test_look_alikes_cannot_be_distinguished_by_matching_pixels() -> None:
    world, correct = world_100(), []
    for pair in world.pairs:
        shown = [np.mean([world.pixels(c, k) for k in range(1, 9)], axis=0) for c in pair]
        for true, concept in enumerate(pair):
            query = world.pixels(concept, 0).astype(float)
            nearest = int(np.argmin([((query - mean) ** 2).sum() for mean in shown]))
            correct.append(nearest == true)
    assert np.mean(correct) < 0.8


def test_the_box_is_around_the_object() -> None:
    inside = []
    for index in range(20):
        image, (left, top, right, bottom) = render_with_box(APPEARANCE, index)
        assert np.array_equal(image, render(APPEARANCE, index))
        assert 0 <= left < right <= 1
        assert 0 <= top < bottom <= 1
        # The outline of the body has a colour that is rare elsewhere.
        outline = (np.abs(image.astype(int) - (30, 30, 36)).max(axis=2) < 18).nonzero()
        shares = [(y / IMAGE_SIZE, x / IMAGE_SIZE) for y, x in zip(*outline, strict=True)]
        inside += [left <= x <= right and top <= y <= bottom for y, x in shares]
    assert len(inside) > 100
    assert np.mean(inside) > 0.9
