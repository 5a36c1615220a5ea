"""Datasets of drawings: what an image shows is looked for in its pixels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lcl_lab.concepts import KNOWN_THINGS, ImageRef, Pair, load_dataset, read_drawings
from lcl_lab.concepts.scenes import SCENE_SIZE, compose_scene
from lcl_lab.errors import UserError

from .drawings_factory import COLOURS, drawing, index, write_archive


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    return write_archive(tmp_path / "colours.zip")


def test_concepts_pairs_and_numbers_of_images(archive: Path) -> None:
    dataset = load_dataset(f"drawings:{archive}")
    assert dataset.name == "colours"
    assert list(dataset.concepts) == list(COLOURS)
    assert {concept.images for concept in dataset.concepts.values()} == {3 * 4}
    assert list(dataset.pairs) == [Pair("red", "green"), Pair("blue", "grey")]


@pytest.mark.parametrize("name", ["red", "green", "blue"])
def test_an_image_shows_its_concept(name: str, archive: Path) -> None:
    """The hue of the concept is more frequent than in images of the others."""
    dataset = read_drawings(archive)
    channel = ["red", "green", "blue"].index(name)

    def share(concept: str) -> float:
        pixels = np.stack([np.asarray(dataset.image(ImageRef("colours", concept, n)), int) for n in range(12)])
        others = np.delete(pixels, channel, axis=-1).max(-1)
        return float((pixels[..., channel] - others > 60).mean())

    assert share(name) > 1.5 * max(share(other) for other in COLOURS if other != name)


def test_images_are_the_same_every_time_and_differ_from_each_other(archive: Path, tmp_path: Path) -> None:
    first, again = read_drawings(archive), read_drawings(archive)
    images = [first.image(ImageRef("colours", "blue", n)).tobytes() for n in range(12)]
    assert images == [again.image(ImageRef("colours", "blue", n)).tobytes() for n in range(12)]
    assert len(set(images)) == 12


@pytest.mark.parametrize("number", [-1, 12])
def test_a_number_that_no_image_has(number: int, archive: Path) -> None:
    with pytest.raises(IndexError, match="12 images, no number"):
        read_drawings(archive).image(ImageRef("colours", "red", number))


def test_the_fingerprint_covers_names_and_drawings(archive: Path, tmp_path: Path) -> None:
    renamed = index()
    renamed["concepts"]["red"]["name"] = "crimson"
    files = {f"{name}/{n}.png": drawing((1, 2, 3), n) for name in COLOURS for n in (3, 4, 5)}
    others = [write_archive(tmp_path / "names.zip", renamed), write_archive(tmp_path / "files.zip", files=files)]
    fingerprints = {read_drawings(path).fingerprint for path in (archive, *others)}
    assert len(fingerprints) == 3
    copy = Path(tmp_path / "copy.zip")
    copy.write_bytes(archive.read_bytes())
    assert read_drawings(copy).fingerprint in fingerprints


@pytest.mark.parametrize(
    ("description", "message"),
    [
        (index(scenes=0), "scenes"),
        (index(concepts={}), "concepts"),
        (index(pairs=[["red"]]), "pairs"),
        (index(colour="red"), "colour"),
        ([], "index.json"),
        (index(pairs=[["red", "purple"]]), "purple"),
    ],
)
def test_a_wrong_index_is_one_line(description: object, message: str, tmp_path: Path) -> None:
    archive = write_archive(tmp_path / "wrong.zip", description)
    with pytest.raises(UserError, match=message) as raised:
        load_dataset(f"drawings:{archive}")
    assert "\n" not in str(raised.value)


def test_damaged_archives_are_one_line(tmp_path: Path) -> None:
    text = tmp_path / "text.zip"
    text.write_text("no archive")
    missing = write_archive(tmp_path / "missing.zip", files={"red/3.png": b""})
    for path, message in (
        (text, "not an archive of drawings"),
        (missing, "has no file 'blue/3.png'"),
        (tmp_path / "nowhere.zip", "does not exist"),
    ):
        with pytest.raises(UserError, match=message):
            load_dataset(f"drawings:{path}")
    broken = write_archive(tmp_path / "broken.zip", files={f"{c}/{n}.png": b"x" for c in COLOURS for n in (3, 4, 5)})
    with pytest.raises(UserError, match=r"red/3\.png .* cannot be read as a drawing"):
        read_drawings(broken).image(ImageRef("colours", "red", 0))
    with pytest.raises(UserError, match="did you mean 'drawings:"):
        load_dataset(str(text))


def test_a_scene_keeps_most_of_a_drawing_in_view() -> None:
    square = Image.new("RGBA", (64, 64), (255, 0, 255, 255))
    for seed in range(20):
        scene = compose_scene(square, np.random.default_rng(seed))
        assert scene.size == (SCENE_SIZE, SCENE_SIZE)
        assert scene.mode == "RGB"
        pixels = np.asarray(scene, int)
        shown = (np.minimum(pixels[..., 0], pixels[..., 2]) - pixels[..., 1] > 60).mean()
        assert 0.2 < shown <= 1


@pytest.mark.parametrize("name", KNOWN_THINGS)
def test_the_shipped_drawings(name: str) -> None:
    dataset = load_dataset(name)
    assert len(dataset.concepts) == 100
    assert len(dataset.pairs) == 50
    assert len({id for pair in dataset.pairs for id in pair}) == 100
    assert all(concept.images >= 17 for concept in dataset.concepts.values())  # 16 shots and a query
    for id in list(dataset.concepts)[::20]:
        assert dataset.image(ImageRef(name, id, 16)).size == (SCENE_SIZE, SCENE_SIZE)
