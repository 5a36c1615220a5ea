from __future__ import annotations

import os
from pathlib import Path

import pytest
from PIL import Image

from lcl_lab.concepts import image_verification
from lcl_lab.concepts.image_verification import Verification, verify_images

from .factories import picture


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of files that are decoded, in order."""
    names: list[str] = []
    decode = image_verification.decode_image

    def note(path: Path) -> Image.Image:
        names.append(path.name)
        return decode(path)

    monkeypatch.setattr(image_verification, "decode_image", note)
    return names


def old_files(folder: Path) -> list[Path]:
    """Two files of one image and a damaged one, written long ago."""
    files = [folder / picture(folder / name) for name in ("a.png", "b.bmp")] + [folder / "c.jpg"]
    files[2].write_bytes(b"")
    for file in files:
        os.utime(file, (1000, 1000))
    return files


def test_equal_pixels_have_equal_digests_whatever_their_format(tmp_path: Path) -> None:
    first, second, damaged = verify_images(old_files(tmp_path))
    assert first == second
    assert first.pixels and not first.problem
    assert damaged == Verification("", "the file is empty")


def test_images_of_another_shape_differ(tmp_path: Path) -> None:
    for name, size in (("a.png", (4, 6)), ("b.png", (6, 4))):
        Image.new("RGB", size).save(tmp_path / name)
    first, second = verify_images([tmp_path / "a.png", tmp_path / "b.png"])
    assert first != second


def test_readable_images_are_decoded_once_and_others_every_time(tmp_path: Path, decoded: list[str]) -> None:
    files = old_files(tmp_path)
    first = verify_images(files)
    assert verify_images(files) == first
    assert sorted(decoded[:3]) == ["a.png", "b.bmp", "c.jpg"]
    assert decoded[3:] == ["c.jpg"]
