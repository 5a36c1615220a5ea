"""Packages in the format of Iconify and of Fontsource, written by the tests; nothing is downloaded."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lcl_lab.concepts import ImageRef, Pair, read_drawings
from lcl_lab.errors import UserError
from lcl_lab.zoo import picture_sources, pictures
from lcl_lab.zoo.picture_sources import HELD_OUT_SETS, TRAINING_SETS, Package, fetch, read_icons

BODY = '<rect x="{left}" y="0" width="{width}" height="8" fill="{colour}"/>'


def package(path: Path, icons: dict[str, object], **table: object) -> Path:
    content = json.dumps({"prefix": "test", "icons": icons, **table}).encode()
    with tarfile.open(path, "w:gz") as archive:
        entry = tarfile.TarInfo("package/icons.json")
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
    return path


def test_icons_become_square_documents(tmp_path: Path) -> None:
    icons = {
        "wide": {"body": BODY.format(left=0, width=16, colour="#ff0000"), "width": 16, "height": 8},
        "usual": {"body": BODY.format(left=0, width=8, colour="#0000ff")},
        "hidden": {"body": "", "hidden": True},
    }
    documents = read_icons(package(tmp_path / "set.tgz", icons, width=8, height=8))
    assert list(documents) == ["wide", "usual"]
    drawn = {
        name: Image.open(io.BytesIO(pictures._draw_icon(svg, 32))).convert("RGBA") for name, svg in documents.items()
    }
    assert {image.size for image in drawn.values()} == {(32, 32)}
    wide, usual = (np.asarray(drawn[name]) for name in ("wide", "usual"))
    assert (usual[2:-2, 2:-2] == (0, 0, 255, 255)).all()
    assert (wide[10:22, 2:-2] == (255, 0, 0, 255)).all()  # the middle half; above and below is nothing
    assert (wide[:6, :, 3] == 0).all()
    assert (wide[26:, :, 3] == 0).all()


def test_concepts_and_styles_of_the_evaluation_are_in_no_training(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    names = [f"thing-{number}" for number in range(120)]
    for number, one in enumerate((*TRAINING_SETS, *HELD_OUT_SETS)):
        icons: dict[str, object] = {
            name: {"body": BODY.format(left=0, width=8, colour=f"#{number * 30:02x}8040")} for name in names
        }
        icons["man-running"] = icons[names[0]]
        package(tmp_path / f"{one.name}.tgz", icons, width=8, height=8)
    monkeypatch.setattr(pictures, "fetch", lambda one, folder: folder / f"{one.name}.tgz")
    drawn = pictures.draw_emoji(tmp_path, workers=1)
    assert {name for concepts in drawn.values() for name in concepts} == set(names)  # variants of people are left out
    assert sum(map(len, drawn.values())) == len(names)
    assert 70 < len(drawn["train"]) < 105
    held_out = {one.name for one in HELD_OUT_SETS}
    for split, concepts in drawn.items():
        styles = {style for drawings in concepts.values() for style in drawings}
        assert styles == ({one.name for one in TRAINING_SETS} if split == "train" else held_out)


def test_an_archive_has_what_was_drawn(tmp_path: Path) -> None:
    documents = read_icons(
        package(
            tmp_path / "set.tgz",
            {
                "red-box": {"body": BODY.format(left=0, width=8, colour="#ff0000")},
                "blue-box": {"body": BODY.format(left=0, width=8, colour="#0000ff")},
            },
            width=8,
            height=8,
        )
    )
    drawn = {name: {"test": pictures._draw_icon(document, 64)} for name, document in documents.items()}
    source = Package("test", "", "", "nobody, CC0-1.0")
    index = pictures.drawing_index("boxes", drawn, [Pair("red-box", "blue-box")], 2, [source])
    for copy in ("one.zip", "two.zip"):
        pictures.write_drawings(tmp_path / copy, drawn, index)
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()
    dataset = read_drawings(tmp_path / "one.zip")
    assert [concept.name for concept in dataset.concepts.values()] == ["red box", "blue box"]
    assert index.source == "test (nobody, CC0-1.0)"
    assert dataset.content("red-box") == drawn["red-box"]
    assert dataset.image(ImageRef("boxes", "red-box", 1)).size == (224, 224)


def test_a_package_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    missing = Package("none", "http://127.0.0.1:9/none.tgz", "0" * 64, "")
    with pytest.raises(UserError, match=r"cannot download http://127.0.0.1:9/none.tgz: ") as raised:
        fetch(missing, tmp_path)
    assert "\n" not in str(raised.value)


def test_every_package_is_pinned() -> None:
    for one in (*TRAINING_SETS, *HELD_OUT_SETS, picture_sources.FONT, picture_sources.WEIGHTS):
        assert len(one.sha256) == 64
        assert one.licence
