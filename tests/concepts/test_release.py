"""Small files in the format of the release."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from lcl_lab.concepts import ImageRef, load_dataset
from lcl_lab.episodes import ReleaseEpisodes, check_shots, draw_episode
from lcl_lab.errors import UserError
from tests.hub import serve

from .factories import picture, refused


@pytest.fixture
def isekai(tmp_path: Path) -> Path:
    """Two lines of ISEKAI-10: each concept is the query once."""
    images = {name: [f"images/{name}/{k}.png" for k in range(5)] for name in ("cactihog", "cactus")}
    for shade, files in enumerate(images.values()):
        for number, file in enumerate(files):
            picture(tmp_path / file, 100 * shade + number)
    lines = [
        {
            "image_name": images[label][4],
            "positive_list": images["cactihog"][:4],
            "negative_list": images["cactus"][:4],
            "positive_promt": "cactihog",
            "negative_promt": "cactus",
            "label_name": label,
        }
        for label in images
    ]
    path = tmp_path / "ISEKAI-10.json"
    path.write_text("\n".join(map(json.dumps, lines)) + "\n")
    return path


def test_isekai_is_read_as_released(isekai: Path) -> None:
    dataset = load_dataset(f"isekai:{isekai}")
    assert [str(pair) for pair in dataset.pairs] == ["cactihog~cactus"]
    assert {name: concept.images for name, concept in dataset.concepts.items()} == {"cactihog": 5, "cactus": 5}
    episode = draw_episode(dataset, 0, 0, 8)
    assert {(dataset.image(e.image).getpixel((0, 0))[0] >= 100, e.label) for e in episode.support} == {
        (False, "cactihog"),
        (True, "cactus"),
    }


def test_isekai_comes_from_the_hub_once(
    isekai: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serve("ISEKAI-Portal/ISEKAI-10", isekai.parent, tmp_path_factory.mktemp("hub"), monkeypatch) as hub:
        dataset = load_dataset("isekai-10")
        assert dataset.fingerprint == load_dataset(f"isekai:{isekai}").fingerprint
        sent = list(hub.sent)
        assert load_dataset("isekai-10").fingerprint == dataset.fingerprint
        assert hub.sent == sent
        with pytest.raises(UserError, match=r"data isekai-pair: .*use isekai:FOLDER/ISEKAI-pair\.json"):
            load_dataset("isekai-pair")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{", "line 3: not JSON"),
        ("[]", "line 3: has no field 'image_name'"),
        ('{"image_name": "x"}', "line 3: has no field 'positive_list'"),
        (
            '{"image_name": "x", "positive_list": null, "negative_list": [], "positive_promt": "a", '
            '"negative_promt": "b", "label_name": "a"}',
            "line 3: positive_list must be a list of image paths",
        ),
    ],
)
def test_an_invalid_line_is_reported_with_its_number(isekai: Path, line: str, reason: str) -> None:
    isekai.write_text(isekai.read_text() + line + "\n")
    refused(f"isekai:{isekai}", rf"ISEKAI-10\.json, {reason}")


def test_missing_and_damaged_images_are_reported_together(isekai: Path) -> None:
    folder = isekai.parent / "images" / "cactus"
    (folder / "4.png").unlink()
    (folder / "0.png").write_bytes(b"damaged")
    problems = r"images/cactus/0\.png: not an image, .*; images/cactus/4\.png: no such file"
    refused(f"isekai:{isekai}", rf"ISEKAI-10\.json: 2 of 10 images in .* are missing or cannot be read: {problems}$")
    for number in range(1, 4):
        (folder / f"{number}.png").write_bytes(b"")
    refused(f"isekai:{isekai}", r": 5 of 10 images .* cannot be read: (.*; ){3}and 2 more$")
    refused(f"isekai:{isekai}x", "No such file")


def test_a_label_that_is_neither_concept_is_reported(isekai: Path) -> None:
    isekai.write_text(isekai.read_text().replace('"label_name": "cactus"', '"label_name": "cat"'))
    refused(f"isekai:{isekai}", "line 2: label_name 'cat' is neither 'cactihog' nor 'cactus'")


@pytest.fixture
def imagenet(tmp_path: Path) -> Path:
    lines = []
    for shade, (id, name) in enumerate((("n01", "tench"), ("n02", "goldfish"))):
        files = [f"val/{id}/{k}.JPEG" for k in range(10)]
        for number, file in enumerate(files):
            picture(tmp_path / file, 100 * shade + number)
        lines.append({"class_id": id, "class_name": name, "context_samples": files[:4], "test_samples": files[4:]})
    path = tmp_path / "test100_pairs.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)))
    return path


def test_missing_and_damaged_images_of_imagenet_are_reported_together(imagenet: Path) -> None:
    (imagenet.parent / "val/n01/0.JPEG").write_bytes(b"damaged")
    (imagenet.parent / "val/n02/9.JPEG").unlink()
    problems = r"val/n01/0\.JPEG: not an image, .*; val/n02/9\.JPEG: no such file"
    refused(f"imagenet:{imagenet}", rf": 2 of 20 images in .* are missing or cannot be read: {problems}$")


def test_supports_of_imagenet_100_are_its_context_samples(imagenet: Path) -> None:
    dataset = load_dataset(f"imagenet:{imagenet}")
    assert [str(pair) for pair in dataset.pairs] == ["n01~n02"]
    for query in range(20):
        episode = draw_episode(dataset, 0, query, 8)
        assert {example.image.number for example in episode.support} == {0, 1, 2, 3}
        assert episode.query.number >= 4
    with pytest.raises(UserError, match="enough for 8 shots"):
        check_shots(dataset, 10)


def test_imagenet_900_pairs_a_concept_with_its_nearest(tmp_path: Path) -> None:
    lines = []
    for id, other in (("n01", "n02"), ("n02", "n01"), ("n03", "n02")):
        files = [picture(tmp_path / f"{id}_{k}.png") for k in range(3)]
        lines.append({"class_id": id, "class_name": f"name {id}", "samples": files, "neighbors": [[other, other, "x"]]})
    (tmp_path / "train900_pairs.jsonl").write_text("\n".join(map(json.dumps, lines)))
    dataset = load_dataset(f"imagenet:{tmp_path}/train900_pairs.jsonl")
    assert [str(pair) for pair in dataset.pairs] == ["n01~n02", "n03~n02"]


def test_an_imagenet_concept_without_a_partner_is_reported(imagenet: Path) -> None:
    imagenet.write_text(imagenet.read_text().splitlines()[0])
    refused(f"imagenet:{imagenet}", "line 1: concept 'n01' has no other to pair with")


def test_images_of_the_release_are_read_as_a_viewer_shows_them(isekai: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # rotated by 90 degrees
    for file in (isekai.parent / "images").rglob("*.png"):
        Image.new("RGBA", (80, 40), (120, 70, 20, 0)).save(file, exif=exif)
    dataset = load_dataset(f"isekai:{isekai}")
    image = dataset.image(ImageRef(dataset.name, "cactus", 0))
    assert (image.size, image.getpixel((0, 0))) == ((40, 80), (255, 255, 255))


@pytest.mark.parametrize("load", [load_dataset, ReleaseEpisodes])
def test_a_name_that_breaks_prompts_is_refused(isekai: Path, load: Callable[[str], object]) -> None:
    isekai.write_text(isekai.read_text().replace('"cactus"', '"<image>"'))
    with pytest.raises(UserError, match="the name of concept '<image>' contains '<image>'"):
        load(f"isekai:{isekai}")
