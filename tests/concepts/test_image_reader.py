from __future__ import annotations

import struct
import sys
import warnings
import zlib
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from lcl_lab.concepts import image_reader
from lcl_lab.concepts.image_reader import heif_is_readable, read_image
from lcl_lab.errors import UserError

BROWN = (120, 70, 20)


def gray_png(transparent: int, values: tuple[int, ...]) -> bytes:
    """A PNG of one row of 16-bit gray values, one of them transparent, which Pillow cannot write."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", len(values), 1, 16, 0, 0, 0, 0)
    row = b"\0" + struct.pack(f">{len(values)}H", *values)
    parts = (
        (b"IHDR", header),
        (b"tRNS", struct.pack(">H", transparent)),
        (b"IDAT", zlib.compress(row)),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif", "avif"])
@pytest.mark.parametrize(("orientation", "size", "red"), [(1, (80, 40), (10, 20)), (3, (80, 40), (70, 20)),
    (6, (40, 80), (20, 10)), (8, (40, 80), (20, 70))])  # fmt: skip
def test_the_exif_orientation_is_applied(
    tmp_path: Path, suffix: str, orientation: int, size: tuple[int, int], red: tuple[int, int]
) -> None:
    image = Image.new("RGB", (80, 40), "blue")
    image.paste("red", (0, 0, 40, 40))
    exif = Image.Exif()
    exif[0x0112] = orientation
    image.save(tmp_path / f"a.{suffix}", exif=exif, quality=95)
    read = read_image(tmp_path / f"a.{suffix}")
    assert read.size == size
    levels = [read.getpixel(place) for place in (red, (size[0] - red[0], size[1] - red[1]))]
    assert levels[0][0] > 200 > 50 > levels[1][0]  # type: ignore[index]


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


@pytest.mark.parametrize(
    ("values", "gray"),
    [
        (np.array([[0.5, 1.0]], np.float32), 128),
        (np.array([[128.0, 255.0]], np.float32), 128),
        (np.array([[np.nan, 1.0]], np.float32), 0),
        (np.array([[2**29, 2**30]], np.int32), 128),
        (np.array([[-5, 7]], np.int32), 0),
    ],
)  # fmt: skip
def test_32_bit_and_float_values_are_scaled(tmp_path: Path, values: np.ndarray, gray: int) -> None:
    Image.fromarray(values).save(tmp_path / "a.tif")
    assert read_image(tmp_path / "a.tif").getpixel((0, 0)) == (gray, gray, gray)


def test_transparent_16_bit_gray_is_white(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(gray_png(transparent=0x1234, values=(0x1234, 0x1235)))
    read = read_image(tmp_path / "a.png")
    assert (read.getpixel((0, 0)), read.getpixel((1, 0))) == ((255, 255, 255), (18, 18, 18))


def test_damaged_metadata_is_ignored(tmp_path: Path) -> None:
    Image.new("RGB", (8, 4), BROWN).save(tmp_path / "a.png", exif=b"Exif\0\0garbage")
    read = read_image(tmp_path / "a.png")
    assert (read.size, read.getpixel((0, 0))) == ((8, 4), BROWN)


def test_a_decompression_bomb_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.new("L", (64, 64)).save(tmp_path / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(UserError, match=r"a\.png cannot be read as an image: .*decompression bomb"):
        read_image(tmp_path / "a.png")


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "gif", "bmp", "tif", "avif"])
def test_any_damage_is_reported_in_one_line(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    Image.effect_noise((32, 32), 50).convert("RGB").save(path)
    content, rng = path.read_bytes(), np.random.default_rng(0)
    for _ in range(60):
        damaged = bytearray(content)
        for place in rng.integers(min(len(content), 200), size=4):
            damaged[place] = rng.integers(256)
        path.write_bytes(damaged[: rng.integers(len(content)) if rng.random() < 0.3 else None])
        with warnings.catch_warnings(action="ignore"):  # Pillow warns of damaged metadata
            try:
                read_image(path)
            except UserError as error:
                assert "\n" not in str(error)


def test_heic_names_the_package_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_reader, "heif_is_readable", lambda: False)
    (tmp_path / "a.jpg").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    with pytest.raises(UserError, match="HEIC needs the package pillow-heif: pip install pillow-heif"):
        read_image(tmp_path / "a.jpg")


def test_heic_is_read_with_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    registered: list[bool] = []
    package = SimpleNamespace(register_heif_opener=lambda: registered.append(True))
    monkeypatch.setitem(sys.modules, "pillow_heif", package)
    heif_is_readable.cache_clear()
    try:
        assert heif_is_readable() and heif_is_readable()
        assert registered == [True]
    finally:
        heif_is_readable.cache_clear()
