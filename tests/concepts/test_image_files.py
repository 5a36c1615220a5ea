"""Small files in the real forms: the release's, VQAv2's, and folders of images."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from lcl_lab.concepts import load_dataset
from lcl_lab.concepts.vqav2 import read_vqa
from lcl_lab.episodes import check_shots, draw_episode
from lcl_lab.errors import UserError
from tests.hub import serve


def picture(path: Path, shade: int = 0) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (30, 20), shade).save(path)
    return path.name


def refused(name: str, reason: str) -> None:
    with pytest.raises(UserError, match=reason):
        load_dataset(name)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for shade, name in enumerate(("cacti_hog", "cactus", "shoe_car", "car")):
        for number in range(6):
            picture(tmp_path / name / f"{number}.png", 10 * shade + number)
    return tmp_path


def test_a_folder_is_classes_and_pairs(folder: Path) -> None:
    (folder / "pairs.csv").write_text("positive,negative\ncacti_hog,cactus\nshoe_car,car\n")
    found = load_dataset(f"folder:{folder}")
    assert [str(pair) for pair in found.pairs] == ["cacti_hog~cactus", "shoe_car~car"]
    assert found.concepts["cacti_hog"].name == "cacti hog"
    episode = draw_episode(found, 0, 0, 4)
    assert found.image(episode.query).mode == "RGB"
    assert len({example.image for example in episode.support} | {episode.query}) == 5
    check_shots(found, 10)
    with pytest.raises(UserError, match=r"concept '.*' of folder:.* has 6 images, enough for 10 shots and a query"):
        check_shots(found, 12)


def test_a_folder_without_pairs_pairs_by_name(folder: Path) -> None:
    assert [str(pair) for pair in load_dataset(f"folder:{folder}").pairs] == ["cacti_hog~cactus", "car~shoe_car"]


def test_another_image_is_another_fingerprint(folder: Path) -> None:
    before = load_dataset(f"folder:{folder}").fingerprint
    Image.new("RGB", (90, 90)).save(folder / "car" / "9.png")
    assert load_dataset(f"folder:{folder}").fingerprint != before


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda f: (f / "pairs.csv").write_text("positive,negative\ncacti,cactus\n"), "line 2: no folder 'cacti' here"),
        (lambda f: (f / "pairs.csv").write_text("positive,negative\ncar,car\n"), "line 2: 'car' is paired with itself"),
        (lambda f: (f / "pairs.csv").write_bytes(b"positive,negative\n\xff\n"), "pairs.csv: .*can't decode"),
        (lambda f: (f / "pairs.csv").write_text("a,b\n"), r"line 1: its columns must be positive,negative"),
        (lambda f: (f / "pairs.csv").write_text("positive,negative\n"), "holds no pairs"),
        (lambda f: (f / "empty").mkdir(), "empty holds no images"),
        (lambda f: picture(f / "odd" / "1.png"), "5 classes cannot all be paired"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_folder_is_told(folder: Path, spoil: Callable[[Path], object], reason: str) -> None:
    spoil(folder)
    refused(f"folder:{folder}", reason)


def test_no_folder_and_no_classes_are_told(tmp_path: Path) -> None:
    refused(f"folder:{tmp_path}/none", "no such folder")
    refused(f"folder:{tmp_path}", "holds no folders")
    refused("folders:x", r"did you mean 'folder:PATH'")


def test_an_image_that_is_none_is_told(folder: Path) -> None:
    (folder / "car" / "0.png").write_text("no image")
    found = load_dataset(f"folder:{folder}")
    with pytest.raises(UserError, match=r"0\.png cannot be read as an image"):
        [found.image(draw_episode(found, 0, query, 8).query) for query in range(80)]


@pytest.fixture
def isekai(tmp_path: Path) -> Path:
    """Two lines of ISEKAI-10: each class is asked for once."""
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
    found = load_dataset(f"isekai:{isekai}")
    assert [str(pair) for pair in found.pairs] == ["cactihog~cactus"]
    assert {name: concept.images for name, concept in found.concepts.items()} == {"cactihog": 5, "cactus": 5}
    episode = draw_episode(found, 0, 0, 8)
    assert {(found.image(e.image).getpixel((0, 0))[0] >= 100, e.label) for e in episode.support} == {
        (False, "cactihog"),
        (True, "cactus"),
    }


def test_isekai_comes_from_the_hub_once(
    isekai: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serve("ISEKAI-Portal/ISEKAI-10", isekai.parent, tmp_path_factory.mktemp("hub"), monkeypatch) as hub:
        found = load_dataset("isekai-10")
        assert found.fingerprint == load_dataset(f"isekai:{isekai}").fingerprint
        sent = list(hub.sent)
        assert load_dataset("isekai-10").fingerprint == found.fingerprint
        assert hub.sent == sent
        with pytest.raises(UserError, match=r"--data isekai-pair: .*give --data isekai:FOLDER/ISEKAI-pair\.json"):
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
def test_a_bad_line_is_told_with_its_number(isekai: Path, line: str, reason: str) -> None:
    isekai.write_text(isekai.read_text() + line + "\n")
    refused(f"isekai:{isekai}", rf"ISEKAI-10\.json, {reason}")


def test_a_missing_image_is_told_with_the_line(isekai: Path) -> None:
    (isekai.parent / "images" / "cactus" / "4.png").unlink()
    refused(f"isekai:{isekai}", r"ISEKAI-10\.json, line 2: no image .*cactus/4\.png")
    refused(f"isekai:{isekai}x", "No such file")


def test_a_label_that_is_neither_class_is_told(isekai: Path) -> None:
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


def test_supports_of_imagenet_100_are_its_context_samples(imagenet: Path) -> None:
    found = load_dataset(f"imagenet:{imagenet}")
    assert [str(pair) for pair in found.pairs] == ["n01~n02"]
    for query in range(20):
        episode = draw_episode(found, 0, query, 8)
        assert {example.image.number for example in episode.support} == {0, 1, 2, 3}
        assert episode.query.number >= 4
    with pytest.raises(UserError, match="enough for 8 shots"):
        check_shots(found, 10)


def test_imagenet_900_pairs_a_class_with_its_nearest(tmp_path: Path) -> None:
    lines = []
    for id, other in (("n01", "n02"), ("n02", "n01"), ("n03", "n02")):
        files = [picture(tmp_path / f"{id}_{k}.png") for k in range(3)]
        lines.append({"class_id": id, "class_name": f"name {id}", "samples": files, "neighbors": [[other, other, "x"]]})
    (tmp_path / "train900_pairs.jsonl").write_text("\n".join(map(json.dumps, lines)))
    found = load_dataset(f"imagenet:{tmp_path}/train900_pairs.jsonl")
    assert [str(pair) for pair in found.pairs] == ["n01~n02", "n02~n01", "n03~n02"]


def test_an_imagenet_class_without_a_partner_is_told(imagenet: Path) -> None:
    imagenet.write_text(imagenet.read_text().splitlines()[0])
    refused(f"imagenet:{imagenet}", "line 1: class 'n01' has no other to pair with")


def test_vqa_is_read_as_released(tmp_path: Path) -> None:
    picture(tmp_path / "COCO_val2014_000000000042.jpg")
    question = {"image_id": 42, "question": "What is it?", "question_id": 42000}
    asked = {"data_subtype": "val2014", "questions": [question]}
    answers = [{"answer": "cat", "answer_id": k, "answer_confidence": "yes"} for k in range(1, 11)]
    answered = {"annotations": [{"question_id": 42000, "image_id": 42, "answers": answers}]}
    (tmp_path / "q.json").write_text(json.dumps(asked))
    (tmp_path / "a.json").write_text(json.dumps(answered))
    found = read_vqa(tmp_path / "q.json", tmp_path / "a.json", tmp_path)
    (read,) = found.questions
    assert (read.text, read.answers) == ("What is it?", ("cat",) * 10)
    assert found.image(read.image).size == (30, 20)
    (tmp_path / "COCO_val2014_000000000042.jpg").unlink()
    with pytest.raises(UserError, match=r"no image .*000000000042\.jpg"):
        read_vqa(tmp_path / "q.json", tmp_path / "a.json", tmp_path)
    with pytest.raises(UserError, match="has no field 'annotations'"):
        read_vqa(tmp_path / "q.json", tmp_path / "q.json", tmp_path)
