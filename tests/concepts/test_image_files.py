from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from lcl_lab.concepts import Concept, ImageFiles, ImageRef, Pair, load_dataset
from lcl_lab.errors import UserError


def test_a_file_that_is_removed_later_is_reported(folder: Path) -> None:
    dataset = load_dataset(f"folder:{folder}")
    (folder / "car" / "0.png").unlink()
    with pytest.raises(UserError, match=r"0\.png cannot be read as an image: No such file"):
        dataset.image(ImageRef(dataset.name, "car", 0))


def test_an_image_that_a_concept_does_not_have_is_an_index_error(folder: Path) -> None:
    dataset = load_dataset(f"folder:{folder}")
    for number in (-1, 6):
        with pytest.raises(IndexError, match=f"has 6 images, no number {number}"):
            dataset.image(ImageRef(dataset.name, "car", number))


def test_the_fingerprint_covers_the_content_of_files(folder: Path) -> None:
    before = load_dataset(f"folder:{folder}").fingerprint
    file = folder / "car" / "3.png"
    content, status = bytearray(file.read_bytes()), file.stat()
    content[-1] ^= 1
    file.write_bytes(content)
    assert file.stat().st_size == status.st_size
    assert load_dataset(f"folder:{folder}").fingerprint != before


def test_another_image_is_another_fingerprint(folder: Path) -> None:
    before = load_dataset(f"folder:{folder}").fingerprint
    Image.new("RGB", (90, 90)).save(folder / "car" / "9.png")
    assert load_dataset(f"folder:{folder}").fingerprint != before


def test_the_same_content_elsewhere_has_the_same_fingerprint(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    copy = tmp_path_factory.mktemp("other") / "copy"
    shutil.copytree(folder, copy)
    for file in copy.rglob("*.png"):
        os.utime(file, (1, 1))
    assert load_dataset(f"folder:{copy}").fingerprint == load_dataset(f"folder:{folder}").fingerprint


def test_the_fingerprint_covers_names_contexts_and_pairs(folder: Path) -> None:
    dataset = load_dataset(f"folder:{folder}")
    assert isinstance(dataset, ImageFiles)
    changed = [
        replace(dataset, pairs=[Pair("car", "cactus")]),
        replace(dataset, concepts={**dataset.concepts, "car": Concept("car", "auto", "", 6)}),
        replace(dataset, concepts={**dataset.concepts, "car": Concept("car", "car", "", 6, contexts=3)}),
    ]
    assert len({one.fingerprint for one in [dataset, *changed]}) == 4


def test_images_of_one_size_that_change_concepts_change_the_fingerprint(folder: Path) -> None:
    first, second = folder / "car" / "a.bmp", folder / "cactus" / "a.bmp"
    for file, colour in ((first, "red"), (second, "blue")):
        Image.new("RGB", (9, 9), colour).save(file)
        os.utime(file, (1000, 1000))
    before = load_dataset(f"folder:{folder}").fingerprint
    first.rename(folder / "other")
    second.rename(first)
    (folder / "other").rename(second)
    assert first.stat().st_size == second.stat().st_size
    assert load_dataset(f"folder:{folder}").fingerprint != before
