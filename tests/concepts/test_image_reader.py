from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lcl_lab.concepts.image_reader import read_image
from lcl_lab.errors import UserError

BROWN = (120, 70, 20)


def test_the_exif_orientation_is_applied(tmp_path: Path) -> None:
    image = Image.new("RGB", (80, 40), "blue")
    image.paste("red", (0, 0, 40, 40))
    exif = Image.Exif()
    exif[0x0112] = 6  # rotated by 90 degrees clockwise
    image.save(tmp_path / "a.jpg", exif=exif, quality=95)
    read = read_image(tmp_path / "a.jpg")
    assert read.size == (40, 80)
    top, bottom = read.getpixel((20, 10)), read.getpixel((20, 70))
    assert top[0] > 200 > 50 > bottom[0]  # type: ignore[index]


@pytest.mark.parametrize(("value", "gray"), [(0, 0), (20_000, 78), (65_535, 255)])
@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_16_bit_gray_is_scaled(tmp_path: Path, suffix: str, value: int, gray: int) -> None:
    Image.fromarray(np.full((5, 4), value, np.uint16)).save(tmp_path / f"a.{suffix}")
    read = read_image(tmp_path / f"a.{suffix}")
    assert (read.mode, read.size, read.getpixel((2, 2))) == ("RGB", (4, 5), (gray, gray, gray))


@pytest.mark.parametrize("suffix", ["png", "webp"])
def test_transparent_pixels_are_white(tmp_path: Path, suffix: str) -> None:
    image = Image.new("RGBA", (4, 4), (*BROWN, 0))
    image.paste((*BROWN, 255), (0, 0, 2, 4))
    image.save(tmp_path / f"a.{suffix}", lossless=True, exact=True)
    read = read_image(tmp_path / f"a.{suffix}")
    assert (read.getpixel((0, 0)), read.getpixel((3, 0))) == (BROWN, (255, 255, 255))


@pytest.mark.parametrize("mode", ["LA", "P", "L", "RGB"])
def test_transparency_of_every_kind_is_white(tmp_path: Path, mode: str) -> None:
    if mode == "LA":
        Image.new("LA", (4, 4), (30, 0)).save(tmp_path / "a.png")
    else:
        colour = {"P": 0, "L": 30, "RGB": BROWN}[mode]
        Image.new(mode, (4, 4), colour).save(tmp_path / "a.png", transparency=colour)
    assert read_image(tmp_path / "a.png").getpixel((1, 1)) == (255, 255, 255)


@pytest.mark.parametrize("mode", ["1", "L", "RGB", "CMYK"])
def test_opaque_images_keep_their_colours(tmp_path: Path, mode: str) -> None:
    image = Image.new("RGB", (6, 4), "white").convert(mode)
    image.save(tmp_path / "a.tif")
    assert read_image(tmp_path / "a.tif").getpixel((1, 1)) == (255, 255, 255)


@pytest.mark.parametrize("damage", ["text", "truncated", "empty", "missing"])
def test_a_file_that_is_no_image_is_reported(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "a.png"
    Image.effect_noise((64, 64), 50).save(path)
    match damage:
        case "text":
            path.write_text("no image")
        case "truncated":
            path.write_bytes(path.read_bytes()[:1500])
        case "empty":
            path.write_bytes(b"")
        case "missing":
            path.unlink()
    with pytest.raises(UserError, match=r"data folder:x: .*a\.png cannot be read as an image"):
        read_image(path, "data", "folder:x")
