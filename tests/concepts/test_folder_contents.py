from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image, features

from lcl_lab.concepts import ImageRef, folder_contents, load_dataset

from .factories import picture, refused


@pytest.fixture(autouse=True)
def no_heif(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the package for HEIC were not installed."""
    monkeypatch.setattr(folder_contents, "heif_is_readable", lambda: False)


@pytest.fixture
def folder(folder: Path) -> Path:
    """The usual folder, with pairs, so that none are reported."""
    (folder / "pairs.csv").write_text("positive,negative\ncacti_hog,cactus\nshoe_car,car\n")
    return folder


def warnings_of(folder: Path, caplog: pytest.LogCaptureFixture) -> list[str]:
    """The lines that are logged when a folder is loaded, without the name of the dataset."""
    caplog.clear()
    load_dataset(f"folder:{folder}")
    assert all(message.startswith(f"folder:{folder}: ") for message in caplog.messages)
    return [message.removeprefix(f"folder:{folder}: ") for message in caplog.messages]


def test_files_that_are_not_read_are_counted_in_one_line(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    for number in range(9):
        (folder / "car" / f"{number}.HEIC").write_bytes(b"photo")
    for number in range(5):
        picture(folder / "car" / "more" / f"{number}.png")
    (folder / "cactus" / ".DS_Store").touch()
    picture(folder / "cactus" / "x.png")
    (folder / "cactus" / "x.png").rename(folder / "cactus" / "._1.png")
    (folder / "cactus" / "notes.txt").touch()
    (folder / "cactus" / "README").touch()
    picture(folder / "loose.jpg")
    (folder / "notes.txt").touch()
    assert warnings_of(folder, caplog) == [
        "24 of 43 files read: 9 HEIC (pip install pillow-heif), 5 nested, 2 hidden, 1 outside a concept's folder, "
        "1 without a suffix, 1 TXT"
    ]


def test_damaged_files_are_counted_and_left_out(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    car = folder / "car"
    (car / "0.png").write_bytes(b"")
    (car / "1.png").write_bytes((car / "1.png").read_bytes()[:45])
    (car / "a.png").symlink_to(car / "nothing.png")
    os.mkfifo(car / "b.png")
    (line,) = warnings_of(folder, caplog)
    assert line.startswith("22 of 26 files read: 4 unreadable; car/0.png: the file is empty; car/1.png: ")
    assert line.endswith("; car/a.png: a broken link; and 1 more")
    dataset = load_dataset(f"folder:{folder}")
    assert dataset.concepts["car"].images == 4
    assert [dataset.image(ImageRef(dataset.name, "car", k)).getpixel((0, 0)) for k in range(4)] == [
        (30 + k,) * 3 for k in range(2, 6)
    ]


def test_a_folder_is_reported_once_per_process(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    (folder / "car" / "notes.txt").touch()
    assert len(warnings_of(folder, caplog)) == 1
    assert warnings_of(folder, caplog) == []


def test_a_complete_folder_is_loaded_in_silence(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    (folder / "notes.txt").touch()
    (folder / ".git").mkdir()
    picture(folder / "__MACOSX" / "car" / "._0.png")
    assert warnings_of(folder, caplog) == []


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        (["a.heic", "b.HEIF"], r"empty contains no images that can be read: 2 HEIC \(pip install pillow-heif\)"),
        (["a.cr2", "in/b.png"], "empty contains no images that can be read: 1 CR2, 1 nested"),
        (["a.jpg"], r"empty contains no images that can be read: 1 unreadable; empty/a\.jpg: the file is empty"),
        (["b.txt", "a.png"], "1 TXT, 1 unreadable; empty/a.png: the file is empty"),
    ],
)  # fmt: skip
def test_a_concept_without_readable_images_is_refused(folder: Path, names: list[str], reason: str) -> None:
    (folder / "pairs.csv").write_text("positive,negative\ncar,cactus\n")
    for name in names:
        (folder / "empty" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "empty" / name).touch()
    refused(f"folder:{folder}", reason)


def test_identical_images_are_reported(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    shutil.copy(folder / "car" / "0.png", folder / "car" / "copy.png")
    with Image.open(folder / "car" / "1.png") as image:
        image.save(folder / "cactus" / "again.bmp")
    assert warnings_of(folder, caplog) == [
        "2 images in more than one file, 1 in different concepts: cactus/again.bmp = car/1.png; "
        "car/0.png = car/copy.png"
    ]


@pytest.mark.parametrize("suffix", ["tif", "tiff", "TIF", "webp", "jfif", "avif"])
def test_formats_of_pillow_are_read(folder: Path, suffix: str) -> None:
    if suffix == "avif" and not features.check("avif"):
        pytest.skip("this Pillow reads no AVIF")
    picture(folder / "car" / f"x.{suffix}", 200)
    assert load_dataset(f"folder:{folder}").concepts["car"].images == 7


def test_heic_is_read_where_its_package_is_installed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder_contents, "heif_is_readable", lambda: True)
    picture(folder / "car" / "x.png", 200)
    (folder / "car" / "x.png").rename(folder / "car" / "x.HEIC")
    assert load_dataset(f"folder:{folder}").concepts["car"].images == 7


def test_a_folder_that_cannot_be_listed_is_reported(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(path: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", fail)
    refused(f"folder:{folder}", f"cannot read {folder}: Permission denied")


def test_the_report_is_a_line_on_standard_error(folder: Path) -> None:
    (folder / "car" / "notes.txt").touch()
    code = f"import lcl_lab; lcl_lab.load_dataset({f'folder:{folder}'!r})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == ""
    assert done.stderr == f"folder:{folder}: 24 of 25 files read: 1 TXT\n"
