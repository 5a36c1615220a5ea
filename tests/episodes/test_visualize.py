from __future__ import annotations

import re
from base64 import b64decode
from dataclasses import replace
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import lcl_lab
from lcl_lab.concepts import ImageRef, load_dataset
from lcl_lab.episodes import Episode, Example, draw_episode, episode_html, episode_image, falsify, stack_images
from lcl_lab.errors import UserError

WORLD = load_dataset("world-100")
ORANGE = (0xD5, 0x5E, 0x00)


def orange(picture: Image.Image) -> int:
    return int((np.asarray(picture)[..., :3] == ORANGE).all(axis=2).sum())


def test_a_long_support_takes_several_rows() -> None:
    short, long = (episode_image(draw_episode(WORLD, 0, 0, shots), WORLD.image) for shots in (2, 16))
    assert long.width > short.width
    assert long.height > 2 * short.height


def test_false_labels_are_red() -> None:
    episode = draw_episode(WORLD, 0, 0, 4)
    assert orange(episode_image(episode, WORLD.image)) == 0
    half, all_of_them = (orange(episode_image(falsify(episode, ratio), WORLD.image)) for ratio in (0.5, 1.0))
    assert 0 < half < all_of_them


def test_answers_are_below_and_wrong_ones_are_red() -> None:
    episode = draw_episode(WORLD, 0, 0, 2)
    bare = episode_image(episode, WORLD.image)
    right, wrong = (
        episode_image(episode, WORLD.image, answers=[("model", "wug", correct)]) for correct in (True, False)
    )
    assert bare.height < right.height == wrong.height
    assert orange(right) == 0 < orange(wrong)
    assert stack_images([bare, wrong]).height > bare.height + wrong.height


def test_the_ground_is_transparent_on_light_and_dark_pages() -> None:
    sheet = stack_images([episode_image(draw_episode(WORLD, 0, 0, 2), answers=[("model", "wug", True)])] * 2)
    opacity = np.asarray(sheet)[..., 3]
    assert opacity[:, 0].max() == 0
    assert opacity.max() == 255


def test_without_images_there_is_no_picture() -> None:
    episode = draw_episode(WORLD, shots=4)
    assert episode_image(episode).tobytes() == episode_image(episode, WORLD.image).tobytes()
    with pytest.raises(UserError, match=r"^episode: has no dataset to take images from"):
        episode_image(replace(episode, dataset=None))


class Page(HTMLParser):
    """The tags that are open, images, and texts with the colour of their element."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.images: list[dict[str, str | None]] = []
        self.texts: list[tuple[str, bool]] = []
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "img":
            self.images.append(dict(attrs))
        else:
            self._open.append(str(dict(attrs).get("style")))

    def handle_endtag(self, tag: str) -> None:
        self._open.pop()

    def handle_data(self, data: str) -> None:
        self.texts.append((data, "color:#D55E00" in self._open[-1]))


def test_html_shows_images_and_labels_in_order() -> None:
    episode = falsify(draw_episode(WORLD, 0, 3, 4), 0.5)
    html = episode_html(episode)
    page = Page(html)
    refs = [*(example.image for example in episode.support), episode.query]
    assert [image["alt"] for image in page.images] == [str(ref) for ref in refs]
    for image, ref in zip(page.images, refs, strict=True):
        data = re.fullmatch("data:image/png;base64,(.*)", str(image["src"]))
        assert data
        with Image.open(BytesIO(b64decode(data[1]))) as shown:
            assert shown.tobytes() == WORLD.image(ref).tobytes()
    labels = [text for text in page.texts if text[0] in (episode.true_name, episode.other_name)]
    assert labels == [(example.label, example.false) for example in episode.support]
    notes = [text for text, _ in page.texts if text.startswith("true name: ")]
    false = [f"true name: {example.true_label}" for example in episode.support if example.false]
    assert notes == [*false, f"true name: {episode.true_name}, other name: {episode.other_name}"]
    assert "http" not in html and "<script" not in html


def test_html_of_an_episode_without_images_shows_references() -> None:
    episode = replace(draw_episode(WORLD, shots=2), dataset=None)
    page = Page(episode_html(episode))
    assert not page.images
    assert str(episode.query) in [text for text, _ in page.texts]


def test_html_escapes_all_text() -> None:
    evil = '<script>alert("&")</script>'
    ref = ImageRef(evil, evil, 0)
    episode = Episode(evil, 0, 0, 0, evil, (Example(ref, evil, "b" + evil),), ref, evil, "b" + evil, _Plain())
    page = Page(episode_html(episode))
    assert "<script" not in episode_html(episode)
    assert (evil, True) in page.texts
    assert page.images[0]["alt"] == str(ref)


def test_html_embeds_small_copies_of_large_images() -> None:
    episode = replace(draw_episode(WORLD, shots=2), dataset=_Plain())
    html = episode_html(episode)
    assert html.count("data:image/jpeg;base64,") == 3
    assert len(html) < 100_000


class _Plain:
    """A dataset of large images."""

    def image(self, ref: ImageRef) -> Image.Image:
        return Image.effect_noise((3000, 2000), 50)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(name)


def test_texts_call_false_labels_by_their_colour() -> None:
    root = Path(lcl_lab.__file__).parents[1]
    files = [*(root / "lcl_lab").rglob("*.py"), *(root / "docs").rglob("*.md")]
    lines = [line.lower() for file in files for line in file.read_text(encoding="utf-8").splitlines()]
    of_labels = [line for line in lines if re.search(r"false (label|one)s?\b", line)]
    assert [line for line in of_labels if "orange" in line]
    assert [line for line in of_labels if re.search(r"\b(red|green|blue|purple|yellow)\b", line)] == []
