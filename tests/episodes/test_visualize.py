from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from lcl_lab.concepts import load_dataset
from lcl_lab.episodes import draw_episode, episode_image, falsify, save_strip, stacked

WORLD = load_dataset("world-100")
RED = (0xD5, 0x5E, 0x00)


def red(picture: Image.Image) -> int:
    return int((np.asarray(picture) == RED).all(axis=2).sum())


def test_a_strip_grows_by_rows() -> None:
    short, long = (episode_image(draw_episode(WORLD, 0, 0, shots), WORLD.image) for shots in (2, 16))
    assert long.width > short.width
    assert long.height > 2 * short.height


def test_false_labels_are_red() -> None:
    episode = draw_episode(WORLD, 0, 0, 4)
    assert red(episode_image(episode, WORLD.image)) == 0
    half, all_of_them = (red(episode_image(falsify(episode, ratio), WORLD.image)) for ratio in (0.5, 1.0))
    assert 0 < half < all_of_them


def test_it_is_saved_as_a_picture(tmp_path: Path) -> None:
    path = save_strip(draw_episode(WORLD, 0, 0, 4), WORLD.image, tmp_path / "strip.png")
    with Image.open(path) as picture:
        assert picture.format == "PNG"


def test_answers_stand_below_and_wrong_ones_are_red() -> None:
    episode = draw_episode(WORLD, 0, 0, 2)
    bare = episode_image(episode, WORLD.image)
    right, wrong = (
        episode_image(episode, WORLD.image, answers=[("model", "wug", verdict)]) for verdict in (True, False)
    )
    assert bare.height < right.height == wrong.height
    assert red(right) == 0 < red(wrong)
    assert stacked([bare, wrong]).height > bare.height + wrong.height
