"""Decodes image files of any kind to what a viewer shows: upright, 8 bits per channel, RGB on white."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError, __version__

from lcl_lab.errors import UserError

__all__ = ["HEIF_PACKAGE", "UnreadableImageError", "decode_bytes", "decode_image", "heif_is_readable", "read_image"]

HEIF_PACKAGE = "pillow-heif"
"""The package with which Pillow reads HEIC, the format of most phones."""
_HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx"}
_HEIF_BRANDS = _HEIC_BRANDS | {b"mif1", b"msf1"}  # these two may also be AVIF, which Pillow reads
_BACKGROUND = "white"
_INTEGER_WHITE = (65_535.0,)
_FLOAT_WHITE = (1.0, 255.0, 65_535.0)


class UnreadableImageError(Exception):
    """A file cannot be read as an image; the message is the reason, in one line."""


def read_image(path: Path, option: str | None = None, value: object = None) -> Image.Image:
    """Read an image file as a viewer would show it; see `decode_image`.

    Args:
        path: the image file.
        option: the option that names the dataset, for the error message.
        value: the value of the option.

    Returns:
        The image in mode RGB.

    Raises:
        UserError: the file cannot be read as an image.
    """
    try:
        return decode_image(path)
    except UnreadableImageError as error:
        raise UserError(f"{path} cannot be read as an image: {error}", option=option, value=value) from error


def decode_image(path: Path) -> Image.Image:
    """Decode an image file.

    The EXIF orientation is applied, values of more than 8 bits are scaled, and transparent pixels become white. Of an
    animation, the first frame is read.

    Args:
        path: the image file.

    Returns:
        The image in mode RGB.

    Raises:
        UnreadableImageError: the file is missing, empty, damaged, too large or in a format that cannot be read.
    """
    try:
        with path.open("rb") as file:
            return _decode(file)
    except OSError as error:
        raise UnreadableImageError(_reason(error)) from error


def decode_bytes(data: bytes) -> Image.Image:
    """Decode the content of an image file; see `decode_image`.

    Raises:
        UnreadableImageError: the content is empty, damaged, too large or in a format that cannot be read.
    """
    return _decode(BytesIO(data))


@cache
def heif_is_readable() -> bool:
    """Whether HEIC files can be read; makes Pillow read them if their package is installed."""
    try:
        import_module("pillow_heif").register_heif_opener()
    except ImportError:
        return False
    return True


def _decode(file: BinaryIO) -> Image.Image:
    try:
        _enable_format(file.read(12))
        file.seek(0)
        with Image.open(file) as image:
            return _to_rgb(_upright(image))
    except UnreadableImageError:
        raise
    except Exception as error:  # on damaged files, Pillow's decoders raise whatever their parsing trips over
        raise UnreadableImageError(_reason(error)) from error


def _enable_format(head: bytes) -> None:
    """Prepare Pillow for a file that starts with these bytes: the suffix of photos from phones is often wrong."""
    if not head:
        raise UnreadableImageError("the file is empty")
    brand = head[8:12] if head[4:8] == b"ftyp" else b""
    if brand in _HEIF_BRANDS and not heif_is_readable() and brand in _HEIC_BRANDS:
        raise UnreadableImageError(f"HEIC needs the package {HEIF_PACKAGE}: pip install {HEIF_PACKAGE}")


def _reason(error: Exception) -> str:
    if isinstance(error, UnidentifiedImageError):
        return f"not an image, or in a format that Pillow {__version__} cannot read"
    text = (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
    return " ".join(text.split())


def _upright(image: Image.Image) -> Image.Image:
    image.load()  # here, so that only damaged metadata is ignored below
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # damaged EXIF makes Pillow raise many types; viewers show such images as they are stored
        return image


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode == "F" or image.mode.startswith("I"):
        return _gray_from_high_depth(image).convert("RGB")
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        background = Image.new("RGBA", rgba.size, _BACKGROUND)
        return Image.alpha_composite(background, rgba).convert("RGB")
    return image.convert("RGB")


def _gray_from_high_depth(image: Image.Image) -> Image.Image:
    """Scale 16-bit, 32-bit and float values to 8 bits. Pillow clips them, which makes nearly every pixel white.

    White is the smallest of the usual maxima that no value exceeds, or else the largest value.
    """
    values = np.nan_to_num(np.asarray(image).astype(np.float64), posinf=0.0, neginf=0.0)
    top = values.max()
    white = next((white for white in (_FLOAT_WHITE if image.mode == "F" else _INTEGER_WHITE) if top <= white), top)
    gray = np.clip(np.rint(values / white * 255), 0, 255).astype(np.uint8)
    if isinstance(transparent := image.info.get("transparency"), int):
        gray[values == transparent] = 255
    return Image.fromarray(gray)
