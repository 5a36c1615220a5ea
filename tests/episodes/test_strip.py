from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from lcl_lab.concepts import load_concepts
from lcl_lab.episodes import draw_episode, falsify, picture_strip, save_strip, stacked

WORLD = load_concepts("world-100")
RED = (0xD5, 0x5E, 0x00)


def red(picture: Image.Image) -> int:
    return int((np.asarray(picture) == RED).all(axis=2).sum())


def test_a_strip_grows_by_rows() -> None:
    short, long = (picture_strip(draw_episode(WORLD, 0, 0, shots), WORLD.image) for shots in (2, 16))
    assert long.width > short.width
    assert long.height > 2 * short.height


def test_false_labels_are_red() -> None:
    episode = draw_episode(WORLD, 0, 0, 4)
    assert red(picture_strip(episode, WORLD.image)) == 0
    half, all_of_them = (red(picture_strip(falsify(episode, ratio), WORLD.image)) for ratio in (0.5, 1.0))
    assert 0 < half < all_of_them


def test_it_is_saved_as_a_picture(tmp_path: Path) -> None:
    path = save_strip(draw_episode(WORLD, 0, 0, 4), WORLD.image, tmp_path / "strip.png")
    with Image.open(path) as picture:
        assert picture.format == "PNG"


def test_answers_stand_below_and_wrong_ones_are_red() -> None:
    episode = draw_episode(WORLD, 0, 0, 2)
    bare = picture_strip(episode, WORLD.image)
    right, wrong = (
        picture_strip(episode, WORLD.image, answers=[("model", "wug", verdict)]) for verdict in (True, False)
    )
    assert bare.height < right.height == wrong.height
    assert red(right) == 0 < red(wrong)
    assert stacked([bare, wrong]).height > bare.height + wrong.height
